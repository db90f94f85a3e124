"""Vehicle dynamics, tracks and heat: numpy in, numpy out, no files but those that ``conf`` loads."""
