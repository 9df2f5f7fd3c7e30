"""From an office's files to typed tables."""
