"""Rank a catalog for a person: a sequence model on MovieLens-100K, and the resident that serves it."""
