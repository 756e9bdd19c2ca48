"""Money: what may be spent, what is reserved, what is charged, credited and invoiced; whole micro-dollars."""
