"""Uncertainty of figures: draws and intervals of the bootstrap."""
