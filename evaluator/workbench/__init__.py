"""What a rule author works with: whether a pack is right, seen before it judges anyone."""
