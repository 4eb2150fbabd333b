"""Nuclei: two-body kinematics, nuclides, form factors, and what a nucleon is made of."""
