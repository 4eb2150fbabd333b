"""What is concluded: limits, planes of couplings, minima, toys."""
