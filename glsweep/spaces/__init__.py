"""From a search space to the configurations that are tried."""
