"""One file a network, and one function that builds any of them."""
