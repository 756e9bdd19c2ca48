"""The ledger's tables, step by step; see ``core/migrate.py``."""
