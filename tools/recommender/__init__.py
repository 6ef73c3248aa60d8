"""What is worth a user's time next: the catalogue, what the log teaches, ranking, reasons and promises."""
