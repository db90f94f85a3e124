"""Ghost laps: where a lap is cut, and what its pieces are made of."""
