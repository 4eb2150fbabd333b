"""Dirac algebra with explicit matrices: metric (+,-,-,-), Dirac representation, σ^{μν} = (i/2)[γ^μ, γ^ν]."""

import numpy as np

_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO, _ONE2, ONE = np.zeros((2, 2)), np.eye(2), np.eye(4)
GAMMA = [np.block([[_ONE2, _ZERO], [_ZERO, -_ONE2]])] + [np.block([[_ZERO, s], [-s, _ZERO]]) for s in _PAULI]
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]
P_L, P_R = (ONE - GAMMA5) / 2, (ONE + GAMMA5) / 2
METRIC = np.array([1, -1, -1, -1])
SIGMA = [[0.5j * (a @ b - b @ a) for b in GAMMA] for a in GAMMA]


def slash(p):
    """p_μ γ^μ."""
    return sum(METRIC[mu] * p[mu] * GAMMA[mu] for mu in range(4))


def bar(matrix):
    """γ⁰ Γ† γ⁰."""
    return GAMMA[0] @ matrix.conj().T @ GAMMA[0]
