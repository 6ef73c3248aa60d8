"""Who the user is: what they prefer, were tagged with and told, each with the evidence that it rests on."""
