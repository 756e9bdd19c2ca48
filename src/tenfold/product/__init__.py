"""What every product shares: its protocol, its process, its calls, its earnings."""
