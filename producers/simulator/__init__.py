"""A grid of simulated cars with drivers, sensors and faults."""
