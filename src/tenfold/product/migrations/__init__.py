"""What has become of the tables that every product has, step by step; see ``core/migrate.py``."""
