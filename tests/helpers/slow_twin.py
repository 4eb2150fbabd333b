"""The slow twin's functions that take their time, as tests call them: what they say is stored, see `stored`."""

import numpy as np
from stored import stored

from cevns_fast.reference import likelihood, rates, relic_density
from cevns_fast.reference import loop_functions as loops

event_rate = stored(rates.event_rate)
event_rate_terms = stored(rates.event_rate_terms)
chi2 = stored(likelihood.chi2)
thermal_cross_section = stored(relic_density.thermal_cross_section)
F_G = stored(loops.F_G)


def loop_functions(m_chi, m_zprime):
    """`reference.loop_functions.loop_functions`."""
    return loops.LoopFunctions(*_loop_functions(m_chi, m_zprime).tolist())


@stored
def _loop_functions(m_chi, m_zprime):
    return np.array(loops.loop_functions(m_chi, m_zprime))
