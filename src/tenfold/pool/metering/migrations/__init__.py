"""Migrations of the meter's database."""
