"""Neutral currents between neutrino flavours: the Standard Model's, and what adds to them.

On a nucleus ν_b → ν_c has the amplitude Q_cb, and dσ/dT = K Tr[ρ Q†Q] with the kinematic factor K of CLLS Eq. (22).
On an electron there are two, g_L = (g_V + g_A)/2 and g_R = (g_V − g_A)/2, which antineutrinos exchange:

    dσ/dT = (2G_F² m_e/π) Re Tr[ρ (g_L†g_L + g_R†g_R (1 − T/E)² − g_L†g_R m_e T/E²)].

Antineutrinos ν̄_b → ν̄_c have Q_bc. Beams are pure states, so Tr[ρ Q†Q] is Σ_c |Σ_b Q_cb ψ_b|²; flavours c do not
interfere. The weak amplitude W and the new one N make 2 Re W*N and |N|²; |W|² is the Standard Model's own.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from cevns_fast._support.remember import remember
from cevns_fast.constants import G_FERMI
from cevns_fast.interactions import weak_couplings
from cevns_fast.interactions.process import (
    AmplitudePolynomial,
    Batch,
    Beam,
    Collision,
    Complexes,
    Interaction,
    Part,
    Process,
    Scattering,
    Term,
)
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide

W, N = range(2)  # amplitudes on a nucleus
W_L, W_R, N_L, N_R = range(4)  # on an electron


def of_beam(matrices: Complexes, beam: Beam) -> Complexes:
    """From [..., final, initial, parts] to [..., final, parts] for a state.

    For a flavour of its own, entries from below the diagonal are conjugated. That changes no rate, as final flavours do
    not interfere, and makes amplitudes functions of complex couplings alone, and not of their conjugates.
    """
    state = np.array(beam.state)
    order = "...bcp,b->...cp" if beam.antineutrino else "...cbp,b->...cp"
    found = np.einsum(order, matrices, state)
    (place,) = np.nonzero(state)
    if len(place) == 1:
        c = np.arange(3)
        below = c < place[0] if beam.antineutrino else c > place[0]
        found[..., below, :] = found[..., below, :].conj()
    return np.asarray(found)


def hermitian(entries: Mapping[tuple[int, int], complex]) -> Complexes:
    """A matrix from its upper triangle."""
    matrix = np.zeros((3, 3), dtype=np.complex128)
    for (a, b), value in entries.items():
        matrix[a, b] = value
        matrix[b, a] = np.conj(value)
    return matrix


def currents_of(target: Nuclide) -> int:
    """How many currents a target has: nuclei a vector one, electrons a vector and an axial one."""
    return 2 if isinstance(target, Electron) else 1


def weak_vector(model: Any, target: Nuclide, parts: Sequence[Part]) -> tuple[Complexes, Complexes]:
    """The Standard Model's charges, [flavour, currents, 2 + parts], for sin²θ_W = 0 and by unit of it."""
    scheme = model.couplings
    constant = np.zeros((3, currents_of(target), 2 + len(parts)), dtype=np.complex128)
    slope = np.zeros_like(constant)
    running = np.eye(3) * weak_couplings.CHARGE_RADIUS_SLOPE if scheme == "radiative-q2" else np.zeros((3, len(parts)))
    if isinstance(target, Electron):
        constant[:, 0, 0] = weak_couplings.electron_vector(0.0, scheme)
        constant[:, 1, 0] = weak_couplings.electron_axial(scheme)
        constant[:, 0, 2:] = -running
        slope[:, 0, 0] = 2 * weak_couplings.strength(scheme)
    else:
        constant[:, 0, 0] = target.Z * weak_couplings.proton(0.0, scheme)
        constant[:, 0, 1] = target.N * weak_couplings.neutron(scheme)
        constant[:, 0, 2:] = target.Z * running
        slope[:, 0, 0] = -2 * weak_couplings.strength(scheme) * target.Z
    return constant, slope


def weak_of_beam(model: Any, target: Nuclide, beam: Beam, parts: Sequence[Part]) -> tuple[Complexes, Complexes]:
    """Amplitudes [final, currents or chiralities, parts] of a beam, for sin²θ_W = 0 and by unit of it."""
    found = []
    for charges in weak_vector(model, target, parts):
        diagonal = np.einsum("cb,ckp->kcbp", np.eye(3), charges)
        found.append(chiral(of_beam(diagonal, beam), target, beam.antineutrino))
    return found[0], found[1]


@remember(maxsize=256)
def _weak(model: Any, target: Nuclide, beam: Beam, parts: tuple[Part, ...]) -> Complexes:
    """Amplitudes of a beam."""
    constant, slope = weak_of_beam(model, target, beam, parts)
    return np.asarray(constant + model.sin2_theta_w * slope)


def chiral(currents: Complexes, target: Nuclide, antineutrino: bool) -> Complexes:
    """From [..., current, final, parts] to [..., final, amplitude, parts]: on electrons g_V, g_A → g_L, g_R."""
    if isinstance(target, Electron):
        V, A = currents[..., 0, :, :], currents[..., 1, :, :]
        L, R = (V + A) / 2, (V - A) / 2
        currents = np.stack([R, L] if antineutrino else [L, R], axis=-3)
    return np.swapaxes(currents, -3, -2)


def running_parts(*standard_models: Any) -> tuple[Part, ...]:
    """Of the Standard Model's couplings, where those of any depend on Q²."""
    runs = any([each is not None and each.couplings == "radiative-q2" for each in standard_models])
    return weak_couplings.LEPTON_LOOPS if runs else ()


@remember(maxsize=1024)
def square_terms(target: Nuclide, amplitude: int = 0, T_power: int = 0) -> tuple[Term, ...]:
    """|N|², or |W|² if `amplitude` is W, with a power of T."""
    if isinstance(target, Electron):
        L, R = amplitude, amplitude + 1
        return _of_pairs(target, ((L, L, 1.0),), ((R, R, 1.0),), ((L, R, 1.0),), T_power)
    return _of_pairs(target, ((amplitude, amplitude, 1.0),), (), (), T_power)


@remember(maxsize=1024)
def interference_terms(target: Nuclide, T_power: int = 0) -> tuple[Term, ...]:
    """2 Re W*N, with a power of T."""
    if isinstance(target, Electron):
        mixed = ((W_L, N_R, 1.0), (W_R, N_L, 1.0))
        return _of_pairs(target, ((W_L, N_L, 2.0),), ((W_R, N_R, 2.0),), mixed, T_power)
    return _of_pairs(target, ((W, N, 2.0),), (), (), T_power)


_Pairs = tuple[tuple[int, int, float], ...]


def _of_pairs(target: Nuclide, left: _Pairs, right: _Pairs, mixed: _Pairs, T_power: int) -> tuple[Term, ...]:
    """Terms of products of amplitudes; nuclei have `left` ones only, with the factor K."""
    M = target.mass
    found = []
    if not isinstance(target, Electron):
        c = G_FERMI**2 * M / (2 * math.pi)
        for a, b, weight in left:
            found += [
                Term(a, b, T_power, 0, 2 * c * weight),
                Term(a, b, T_power + 1, -2, -M * c * weight),
                Term(a, b, T_power + 1, -1, -2 * c * weight),
                Term(a, b, T_power + 2, -2, c * weight),
            ]
        return tuple(found)
    c = 2 * G_FERMI**2 * M / math.pi
    for a, b, weight in left:
        found.append(Term(a, b, T_power, 0, c * weight))
    for a, b, weight in right:
        found += [
            Term(a, b, T_power, 0, c * weight),
            Term(a, b, T_power + 1, -1, -2 * c * weight),
            Term(a, b, T_power + 2, -2, c * weight),
        ]
    for a, b, weight in mixed:
        found.append(Term(a, b, T_power + 1, -2, -M * c * weight))
    return tuple(found)


class NeutralCurrent(Interaction):
    """Base of interactions that add hermitian matrices to the charges of the Standard Model, and interfere with it.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> polynomial = cf.NSI.matrices([cf.NSI()], cf.nuclide("Cs133"), ("eps_ee_u",), {}, 0)
    >>> polynomial[1,].shape  # interactions, currents, final and initial flavours, (protons, neutrons)
    (1, 1, 3, 3, 2)
    """

    #: The power of T that the matrices come with.
    _T_power: ClassVar[int] = 0
    #: The field that is the mass in their propagator 1/(2MT + m²), if there is one.
    _mediator: ClassVar[str | None] = None

    @classmethod
    @abstractmethod
    def matrices(
        cls, batch: Sequence[Self], target: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex], parts: int
    ) -> AmplitudePolynomial:
        """What is added, complex128[n or 1, currents, final, initial, 2 + parts], by monomial of the open couplings."""

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """Those of `scatterings`, which alone can tell."""
        raise TypeError(f"{cls.__name__}: depends on flavour; ask for its scatterings")

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """Those of `scatterings`, which alone can tell."""
        raise TypeError(f"{cls.__name__}: depends on flavour; ask for its scatterings")

    @classmethod
    def tells_flavours(cls, batch: Sequence[Self], electrons: bool, standard_model: Any) -> bool:
        """It does."""
        return True

    @classmethod
    def parts(cls, batch: Sequence[Self], standard_model: Any) -> tuple[Part, ...]:
        """Those of the Standard Model it interferes with."""
        return running_parts(standard_model)

    @classmethod
    def _mediator_masses(cls, batch: Sequence[Self]) -> Batch:
        """In the propagator."""
        assert cls._mediator is not None
        masses = [getattr(each, cls._mediator) for each in batch]
        return float(masses[0]) if len(batch) == 1 else np.array(masses, dtype=np.float64)

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """The square of what is added, and its interference with the Standard Model."""
        if len(batch) == 1:  # a fit asks for the same again
            return _scatterings_of_one(cls, batch[0], collision, tuple(couplings), tuple(phases.items()))
        return cls._scatterings(batch, collision, couplings, phases)

    @classmethod
    def _scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """The scatterings of a batch, computed anew."""
        target, beam, model = collision
        assert beam is not None
        parts = cls.parts(batch, model)
        added = cls.matrices(batch, target, couplings, phases, len(parts))
        polynomial: dict[tuple[int, ...], Complexes] = {}
        k = currents_of(target)
        new = chiral(of_beam(np.concatenate(list(added.values())), beam), target, beam.antineutrino)  # all at once
        both = np.concatenate([np.zeros_like(new), new], axis=-2)
        at = 0
        for exponents, matrices in added.items():
            polynomial[exponents] = both[at : at + len(matrices)]
            at += len(matrices)
        squares = square_terms(target, k, 2 * cls._T_power)
        if model is None:
            crossed: tuple[Term, ...] = ()
        else:
            crossed = interference_terms(target, cls._T_power)
            key = (0,) * len(couplings)
            with_new = np.array(polynomial.get(key, np.zeros((1, 3, 2 * k, 2 + len(parts)), dtype=np.complex128)))
            with_new[:, :, :k] = _weak(model, target, beam, parts)
            polynomial[key] = with_new
        if cls._mediator is None:
            return (Scattering(Process(0.0, squares + crossed), polynomial),)
        masses = cls._mediator_masses(batch)
        found = [Scattering(Process(0.0, squares, 2, masses), polynomial)]
        if crossed:
            found.append(Scattering(Process(0.0, crossed, 1, masses), polynomial))
        return tuple(found)


@remember(maxsize=256)
def _scatterings_of_one(
    kind: type[NeutralCurrent],
    interaction: NeutralCurrent,
    collision: Collision,
    couplings: tuple[str, ...],
    phases: tuple[tuple[str, complex], ...],
) -> tuple[Scattering, ...]:
    """Of one interaction."""
    return kind._scatterings([interaction], collision, couplings, dict(phases))
