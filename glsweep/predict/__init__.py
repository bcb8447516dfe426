"""From a trained network and a scene to a probability, lines and a picture."""
