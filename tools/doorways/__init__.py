"""What doorways share that must survive a restart: which events were served, and which conversation a thread is."""
