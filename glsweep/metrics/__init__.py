"""Metrics, at one threshold and at all of them."""
