"""Silver: typed, gated, normalised, accounted for."""
