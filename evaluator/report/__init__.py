"""What a run leaves, and how people read it."""
