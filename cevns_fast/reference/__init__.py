"""The slow reference implementation: rates and cross sections written from the papers, by nested adaptive quadrature.

It shares only constants and input tables with the rest of the package, and reads plain fields of the
experiments, nuclides and interactions it is given: what the fast path computes, this computes again.
"""

from cevns_fast.reference.cross_sections import differential_cross_section
from cevns_fast.reference.form_factor import helm_form_factor
from cevns_fast.reference.likelihood import chi2
from cevns_fast.reference.rates import event_rate, event_rate_terms, recoil_spectrum

__all__ = [
    "chi2",
    "differential_cross_section",
    "event_rate",
    "event_rate_terms",
    "helm_form_factor",
    "recoil_spectrum",
]
