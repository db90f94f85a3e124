"""Bronze: what came, as it came."""
