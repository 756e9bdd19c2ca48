"""Who gets each slot: pure functions from what is asked, measured and held to what changes hands."""
