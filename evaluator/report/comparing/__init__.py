"""Two runs compared: what changed, and what each change came from."""
