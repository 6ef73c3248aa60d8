"""What the company knows: documents in, ranked passages out. Knows nothing of agents, users or doorways."""
