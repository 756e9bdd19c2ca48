"""Somebody else's cluster watched: what the policy would do with its accelerators."""
