"""What a rule author writes with: packs begun, set in one style, watched, shown as queries and as a graph."""
