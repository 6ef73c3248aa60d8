"""One turn, start to end. Read assistant.py first."""
