"""The doorway to Discord."""
