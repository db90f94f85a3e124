"""Timing: line crossings, who raced under which number, and the laps between the crossings."""
