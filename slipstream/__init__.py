"""The command line: commands, and answers in the terminal."""
