"""The command `difference`: from two interferograms to a double difference."""
