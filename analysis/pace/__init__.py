"""How fast and how evenly a driver laps: theoretical bests, stints, intervals."""
