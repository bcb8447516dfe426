"""The cases of the benchmark of bad inputs, by kind."""
