"""Cars on the track: drivers, faults, incidents and sensors."""
