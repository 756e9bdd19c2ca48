"""How many slots of each kind everybody gets where not all slots are alike."""
