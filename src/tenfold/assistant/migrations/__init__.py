"""Migrations of the assistant's database."""
