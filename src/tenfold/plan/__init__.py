"""Which sites, phases and accelerators to commit to now, and which to keep as options."""
