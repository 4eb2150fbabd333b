"""Arrays in, arrays out: float64, C-contiguous, MeV; no validation, no Python objects."""
