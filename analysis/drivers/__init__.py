"""Drivers of a session: each summed up, two side by side, the whole field, and our figures beside others'."""
