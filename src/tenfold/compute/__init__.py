"""What accelerators and facilities are, and what training, inference and ranking cost on them.

Every estimate is an interval. Numbers come from data files in this folder, each with its unit, source and date.
"""
