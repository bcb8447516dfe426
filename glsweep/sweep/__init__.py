"""The sweep; the only user of Ray."""
