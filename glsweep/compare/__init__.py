"""Two files of lines, measured against each other in metres."""
