"""Systems as the kernels of planes read them."""

import numpy as np

from cevns_fast._kernels import plane


def plane_of(terms, data, powers, variances):
    """What the kernel reads; (s − 1)/σ is one more row."""
    systems, n_terms, bins = terms.shape
    columns = np.zeros((systems, max(bins, n_terms) + 1, 1 + n_terms))
    for system, variance in enumerate(variances):
        columns[system, :bins, 0], columns[system, :bins, 1:] = data[system], terms[system].T
        if variance > 0:
            columns[system, -1, 0] = variance**-0.5
            columns[system, -1, 1 + powers.tolist().index([0] * powers.shape[1])] = variance**-0.5
    return plane.Plane(np.ascontiguousarray(np.linalg.qr(columns, mode="r")), np.array(variances), powers)
