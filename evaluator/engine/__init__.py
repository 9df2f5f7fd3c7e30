"""From typed tables to verdicts and ranks."""
