"""Figures of merit, at one threshold and at all of them."""
