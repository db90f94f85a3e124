"""Bring gold up to date: what changed, which keys that affects, and who recomputes them."""
