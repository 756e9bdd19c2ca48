"""The one web page of a running pool."""
