"""Training crops: where they are cut, how ground is split, and where they are kept."""
