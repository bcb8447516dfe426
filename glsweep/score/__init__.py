"""The command `score`: a data set drawn scene by scene, and measured against its own lines."""
