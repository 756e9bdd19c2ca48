"""Migrations of the feed's database."""
