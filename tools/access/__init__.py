"""Who may come in, and what was answered to whom: API keys and the answers kept for repeated requests."""
