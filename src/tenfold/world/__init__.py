"""People and programs who use a pool over HTTP like anyone. What the world knows never reaches a product."""
