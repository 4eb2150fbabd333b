"""From an experiment and interactions to counts: functions as polynomials, flux moments, panels, rows, templates."""
