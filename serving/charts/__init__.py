"""Figures of laps, tracks, drivers and scores."""
