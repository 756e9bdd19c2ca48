"""Faults for a running pool: what is done to it, the load that plays meanwhile, and when the pool is whole again."""
