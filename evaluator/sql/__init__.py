"""Queries as trees: expressions lowered to exact SQL, and the engine that runs them."""
