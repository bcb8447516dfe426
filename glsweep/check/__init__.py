"""The command `check`: read every file of a data set, and say what a study would make of it."""
