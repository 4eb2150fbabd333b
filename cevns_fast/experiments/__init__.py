"""What arrives and what is seen: sources, detectors, backgrounds, and the files that describe them."""
