"""A circuit: its line, corners and sectors, and positions on it."""
