"""What each product and tenant uses of models, and how much of it they may."""
