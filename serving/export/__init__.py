"""Push scores to other systems."""
