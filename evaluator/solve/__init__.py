"""What it would take: the least that reaches a verdict, over the pack's own arithmetic."""
