"""Wear by published laws: what a load history costs each component, as a share of its life."""
