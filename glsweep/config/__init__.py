"""What a user writes: data cards, search spaces and studies, checked before anything runs."""
