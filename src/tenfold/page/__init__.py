"""Pages that open anywhere: one file with its pictures, no script, nothing asked of the network."""
