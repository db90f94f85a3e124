"""Cut a lap into zones and micro-sectors."""
