"""The lap at the limit of a car: from what it can do at each speed (g-g-v) and a line, the quasi-steady-state lap."""
