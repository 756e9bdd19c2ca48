"""A day's requests, compressed to minutes, sent to a running pool."""
