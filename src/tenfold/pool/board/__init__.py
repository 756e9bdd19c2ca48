"""What the pool's page shows, as pure functions from the pool's state to HTML and charts."""
