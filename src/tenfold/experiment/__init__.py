"""Experiments with people: who gets which arm, and what the arms differ by, however often somebody looks."""
