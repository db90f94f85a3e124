"""Answers to what is asked of the lake."""
