"""What the agent can do, and the stores it does it with."""
