"""Two laps side by side: aligned traces, corner by corner."""
