"""One lap: its trace on the circuit's scale, its grid, its features."""
