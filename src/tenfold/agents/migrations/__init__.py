"""Migrations of the agents' database."""
