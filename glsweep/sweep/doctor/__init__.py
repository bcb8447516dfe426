"""What can go wrong with a sweep, found before it starts."""
