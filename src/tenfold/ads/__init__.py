"""Ads: an objective and a budget, and it does the rest."""
