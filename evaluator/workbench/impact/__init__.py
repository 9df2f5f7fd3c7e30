"""Whom a change of rules would affect, before it is adopted."""
