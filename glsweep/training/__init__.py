"""Training one network: a generator that yields a report each epoch."""
