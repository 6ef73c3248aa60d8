"""What a user probably needs next: models that are calibrated, learn from outcomes, and know when to say nothing."""
