"""From a probability to lines: outlines at a threshold, their centre lines, what is known of each."""
