"""The ledger: every event, append-only."""
