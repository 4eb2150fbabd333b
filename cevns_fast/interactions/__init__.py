"""Interactions: each one is a table of coefficients and a set of nuclear amplitudes."""
