"""Counts by the literal double integral over flux × dσ/dT × acceptance, of any dσ/dT.

There are two integrands: a user's function (`NumericalInteraction`), and the generic one that evaluates the term table
of any other interaction. The recoil integral has the nodes of the rate kernel, the flux integral Gauss–Legendre nodes
from E_min(T) on. Both are refined until the counts agree with a refinement.
"""

from cevns_fast.counts.double_integral.function import counts
from cevns_fast.counts.double_integral.points import cross_section, spectrum
from cevns_fast.counts.double_integral.term_table import integrate

__all__ = ["counts", "cross_section", "integrate", "spectrum"]
