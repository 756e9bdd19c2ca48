"""An agent for every business: it answers customers from the business's own catalog and texts."""
