"""Handing a conversation over to a person: what they need to know, and the queue that it waits in."""
