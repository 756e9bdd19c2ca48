"""The pool: which workload is awake on each slot, decided every tick and carried out by sleep and wake."""
