"""Driving style: data set, forest, live engine, evaluation."""
