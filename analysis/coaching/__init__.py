"""Insights: where a lap loses time to a target, what was done there, and what it cost."""
