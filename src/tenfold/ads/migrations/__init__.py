"""Migrations of the database of ads."""
