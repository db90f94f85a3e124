"""Official timing of a simulated race: crossings, standings, sheets, flags and weather."""
