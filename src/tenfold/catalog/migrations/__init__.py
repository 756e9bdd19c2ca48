"""Migrations of the embeddings that are kept."""
