"""The doorway to Slack."""
