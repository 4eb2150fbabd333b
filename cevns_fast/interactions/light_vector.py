"""A light vector Z′ that couples to quarks and leptons, or to leptons alone and to nuclei through their loops."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast.constants import ALPHA, G_FERMI, M_ELECTRON, M_MUON, M_TAU
from cevns_fast.interactions.neutral_current import NeutralCurrent, currents_of, running_parts
from cevns_fast.interactions.process import FLAVOURS, AmplitudePolynomial, Part
from cevns_fast.interactions.weak_couplings import LEPTON_LOOPS
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide


class Charges(NamedTuple):
    """Of everything that a Z′ can meet here; the electron's may be axial."""

    u: float = 0.0
    d: float = 0.0
    nu_e: float = 0.0
    nu_mu: float = 0.0
    nu_tau: float = 0.0
    e: float = 0.0
    e_axial: float = 0.0


def _of_baryons(quark: float, e: float, mu: float, tau: float) -> Charges:
    """One charge for quarks, one for each family."""
    return Charges(quark, quark, e, mu, tau, e)


CHARGES = {
    "universal": _of_baryons(1.0, 1.0, 1.0, 1.0),
    "B-L": _of_baryons(1 / 3, -1.0, -1.0, -1.0),
    "B-3Le": _of_baryons(1 / 3, -3.0, 0.0, 0.0),
    "B-3Lmu": _of_baryons(1 / 3, 0.0, -3.0, 0.0),
    "B-2Le-Lmu": _of_baryons(1 / 3, -2.0, -1.0, 0.0),
    "B-Le-2Lmu": _of_baryons(1 / 3, -1.0, -2.0, 0.0),
    "Lmu-Ltau": _of_baryons(0.0, 0.0, 1.0, -1.0),
    "Le-Lmu": _of_baryons(0.0, 1.0, -1.0, 0.0),
    "Le-Ltau": _of_baryons(0.0, 1.0, 0.0, -1.0),
}
# L_α − L_β: which families run in the loop, α with charge +1.
LOOPS = {"Lmu-Ltau": (1, 2), "Le-Lmu": (0, 1), "Le-Ltau": (0, 2)}
_MASSES = (M_ELECTRON, M_MUON, M_TAU)


@dataclass(frozen=True)
class LightVector(NeutralCurrent):
    """νN → νN and νe → νe by a Z′ of any mass, with the Standard Model's interference.

    L = −g (Q_ν ν̄γP_Lν + Q_q q̄γq + Q_e ēγe) Z′.

    Attributes
    ----------
    m_zprime : float
        MeV, >= 0.
    g : float
        Coupling.
    charges : str or mapping
        "universal", "B-L", "B-3Le", "B-3Lmu", "B-2Le-Lmu", "B-Le-2Lmu"; "Lmu-Ltau", "Le-Lmu", "Le-Ltau", which reach
        nuclei through loops of their leptons; or charges by name, others zero: u, d, nu_e, nu_mu, nu_tau, e, and
        e_axial for L = +g Q ēγγ₅e Z′.
    mixing : float
        For L_α − L_β: what is added to ε(Q), the difference of the two loops: mixing with the photon at a high scale,
        which vanishes by default.

    Raises
    ------
    ValueError
        If a mass is negative, a number is not finite, or a charge is unknown.

    Notes
    -----
    Q_αα += g² Q_α [(2Q_u + Q_d) Z F_p + (Q_u + 2Q_d) N F_n] / (√2 G_F (2MT + m²)); of one loop g_p += ±√2 α g²
    ε(Q)/(π G_F (2MT + m²)), + for ν_α, with ε(Q) = ∫x(1−x) ln[(m_β² + x(1−x)Q²)/(m_α² + x(1−x)Q²)] dx. Heavy, it is
    `NSI` with ε^{qV}_αα = g² Q_α Q_q/(√2 G_F m²).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, cf.LightVector(m_zprime=30.0, g=5e-5, charges="B-L")).sum()), 1)
    218.3
    """

    m_zprime: float
    g: float = 0.0
    charges: Any = "universal"
    mixing: float = 0.0

    couplings: ClassVar[Mapping[str, str]] = {"g": "coupling of the Z′; counts go with its fourth power"}
    default_couplings: ClassVar[tuple[str, ...]] = ("g",)
    mass_fields: ClassVar[tuple[str, str] | None] = ("", "m_zprime")
    _mediator: ClassVar[str | None] = "m_zprime"

    def __post_init__(self) -> None:
        validate.number("m_zprime", self.m_zprime, minimum=0.0)
        validate.number("g", self.g)
        validate.number("mixing", self.mixing)
        if isinstance(self.charges, Charges):
            return
        if isinstance(self.charges, Mapping):
            validate.unknown_fields("charges", self.charges, Charges._fields)
            given = {name: validate.number(f"charges: {name}", value) for name, value in self.charges.items()}
            object.__setattr__(self, "charges", Charges(**given))
        else:
            validate.choice("charges", self.charges, CHARGES)
        if self.mixing != 0 and self.charges not in LOOPS:
            raise ValueError(f"mixing = {self.mixing!r}: must be 0 unless charges are one of {', '.join(LOOPS)}")

    @property
    def _charges(self) -> Charges:
        """Spelled out."""
        return self.charges if isinstance(self.charges, Charges) else CHARGES[self.charges]

    @property
    def _loop(self) -> tuple[int, int] | None:
        """Families in the loop."""
        return LOOPS.get(self.charges) if isinstance(self.charges, str) else None

    @classmethod
    def parts(cls, batch: Sequence[Self], standard_model: Any) -> tuple[Part, ...]:
        """Lepton loops, of the Z′'s own or the Standard Model's."""
        return LEPTON_LOOPS if any(each._loop for each in batch) else running_parts(standard_model)

    @classmethod
    def matrices(
        cls, batch: Sequence[Self], target: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex], parts: int
    ) -> AmplitudePolynomial:
        """g² times the charges, less the propagator; a phase of g drops out of a hermitian matrix."""
        found = np.zeros((len(batch), currents_of(target), 3, 3, 2 + parts), dtype=np.complex128)
        unit = 1 / (math.sqrt(2) * G_FERMI)
        for row, each in zip(found, batch, strict=True):
            q = each._charges
            size = unit if couplings else unit * each.g**2
            on_target = np.zeros((len(row), 2 + parts))
            if isinstance(target, Electron):
                on_target[:, 0] = q.e, -q.e_axial
            else:
                on_target[0, :2] = (2 * q.u + q.d) * target.Z, (q.u + 2 * q.d) * target.N
            if each._loop is not None:
                a, b = each._loop
                photon = 2 * ALPHA / math.pi * (-1 if isinstance(target, Electron) else target.Z)
                # ε(Q) = ε(0) + (loop of β − loop of α)/6: what a loop falls by from 0 to Q is a part of its own.
                on_target[0, 0] += photon * (each.mixing + math.log(_MASSES[b] / _MASSES[a]) / 3)
                on_target[0, 2 + a] -= photon / 6
                on_target[0, 2 + b] += photon / 6
            for c, flavour in enumerate(FLAVOURS):
                row[:, c, c] = size * getattr(q, f"nu_{flavour}") * on_target
        return {(2,) if couplings else (): found}
