"""From quarks to nucleons to nuclei: what a quark-level coupling is worth in a nucleus at q² = 0."""

from dataclasses import dataclass

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import M_BOTTOM, M_NEUTRON, M_PROTON, SIN2_THETA_W
from cevns_fast.nuclear.nuclei import Nuclide


@dataclass(frozen=True)
class QuarkContent:
    """Matrix elements of light quarks in nucleons, each as (u, d).

    Attributes
    ----------
    mass_fraction_proton, mass_fraction_neutron : tuple of float
        f_Tq: the fraction of the nucleon's mass that the quark's mass term contributes.
    tensor_charge_proton, tensor_charge_neutron : tuple of float
        δ_q.
    """

    mass_fraction_proton: tuple[float, float]
    mass_fraction_neutron: tuple[float, float]
    tensor_charge_proton: tuple[float, float]
    tensor_charge_neutron: tuple[float, float]


# CL Eq. (7), from Jungman et al. (hep-ph/9506380) and Anselmino et al. (0812.4366). The mass fractions look
# swapped between proton and neutron against the usual set; the effect on equal u and d couplings is 0.3%.
CHANG_LIAO = QuarkContent(
    mass_fraction_proton=(0.019, 0.041),
    mass_fraction_neutron=(0.023, 0.034),
    tensor_charge_proton=(0.54, -0.23),
    tensor_charge_neutron=(-0.23, 0.54),
)

# PDG 2018 (the edition CL cites), MeV at 2 GeV; the paper does not state its values.
QUARK_MASSES = (2.2, 4.7)

# Flavours in the order of every six-tuple of the vector mediator, and their masses, MeV: light quarks at 2 GeV,
# c and b at their own scale (PDG 2022), t from the pole (PDG 2020). CLLS state none.
QUARKS = ("u", "d", "s", "c", "b", "t")
SIX_QUARK_MASSES = (2.16, 4.67, 93.4, 1270.0, M_BOTTOM, 172760.0)


@dataclass(frozen=True)
class PartonContent:
    """Scalar, gluon and twist-2 matrix elements of nucleons, CLLS Eqs. (11)–(13).

    Attributes
    ----------
    mass_fraction_proton, mass_fraction_neutron : tuple of float
        f_q of (u, d, s): the fraction of the nucleon's mass that each quark's mass term contributes.
    twist2_proton, twist2_neutron : tuple of float
        q(2) + q̄(2) of (u, d, s, c, b): the fraction of the nucleon's momentum that each flavour carries.
    source : str
        Where the numbers come from.

    Examples
    --------
    >>> tuple(round(f_G, 4) for f_G in PARTON_CONTENTS["micrOMEGAs"].gluon_fraction)
    (0.9209, 0.917)
    """

    mass_fraction_proton: tuple[float, float, float]
    mass_fraction_neutron: tuple[float, float, float]
    twist2_proton: tuple[float, float, float, float, float]
    twist2_neutron: tuple[float, float, float, float, float]
    source: str

    def __post_init__(self) -> None:
        for name, length in (("mass_fraction", 3), ("twist2", 5)):
            for nucleon in ("proton", "neutron"):
                field = f"{name}_{nucleon}"
                values = validate.vector(field, getattr(self, field), length=length, minimum=0.0)
                if values.sum() > 1:
                    raise ValueError(f"{field} = {getattr(self, field)!r}: must add up to at most 1")
                object.__setattr__(self, field, tuple(map(float, values)))

    @property
    def gluon_fraction(self) -> tuple[float, float]:
        """f_G = 1 − Σ f_q of (proton, neutron): what gluons, and heavy quarks through them, contribute."""
        return 1.0 - sum(self.mass_fraction_proton), 1.0 - sum(self.mass_fraction_neutron)


# q(2) + q̄(2) at the Z mass from CTEQ PDFs, as in Hisano, Ishiwata & Nagata (1007.2601); neutron: u ↔ d.
_TWIST2_PROTON = (0.254, 0.146, 0.052, 0.038, 0.024)
_TWIST2_NEUTRON = (0.146, 0.254, 0.052, 0.038, 0.024)

# CLLS take "the default values in micrOMEGAs" and cite the manuals of versions 2 and 5, whose defaults differ.
# Neither has a fixed table of twist-2 moments.
PARTON_CONTENTS = {
    "micrOMEGAs": PartonContent(
        mass_fraction_proton=(0.0153, 0.0191, 0.0447),
        mass_fraction_neutron=(0.0110, 0.0273, 0.0447),
        twist2_proton=_TWIST2_PROTON,
        twist2_neutron=_TWIST2_NEUTRON,
        source="micrOMEGAs 4 and 5, sources/common.c (1801.03509); CTEQ moments at the Z mass",
    ),
    "micrOMEGAs 2": PartonContent(
        mass_fraction_proton=(0.023, 0.033, 0.26),
        mass_fraction_neutron=(0.018, 0.042, 0.26),
        twist2_proton=_TWIST2_PROTON,
        twist2_neutron=_TWIST2_NEUTRON,
        source="micrOMEGAs 2.2 (0803.2360); CTEQ moments at the Z mass",
    ),
}

# Valence quarks: what the vector current counts. CL Eq. (4), CLLS Eq. (14).
VECTOR_CHARGE_PROTON = (2.0, 1.0)
VECTOR_CHARGE_NEUTRON = (1.0, 2.0)

PerNucleon = tuple[complex, complex]


def scalar_coupling(
    nuclide: Nuclide, u: complex, d: complex, quark_masses: tuple[float, float], content: QuarkContent = CHANG_LIAO
) -> PerNucleon:
    """C_S of a nucleus from C_S^u and C_S^d, CL Eq. (3), as its proton and its neutron part."""
    (m_u, m_d), (p_u, p_d), (n_u, n_d) = quark_masses, content.mass_fraction_proton, content.mass_fraction_neutron
    proton = nuclide.Z * M_PROTON * (u * p_u / m_u + d * p_d / m_d)
    neutron = nuclide.N * M_NEUTRON * (u * n_u / m_u + d * n_d / m_d)
    return proton, neutron


def vector_coupling(nuclide: Nuclide, u: complex, d: complex) -> PerNucleon:
    """C_V of a nucleus from C_V^u and C_V^d, CL Eq. (4), as its proton and its neutron part."""
    (p_u, p_d), (n_u, n_d) = VECTOR_CHARGE_PROTON, VECTOR_CHARGE_NEUTRON
    return nuclide.Z * (u * p_u + d * p_d), nuclide.N * (u * n_u + d * n_d)


def tensor_coupling(nuclide: Nuclide, u: complex, d: complex, content: QuarkContent = CHANG_LIAO) -> PerNucleon:
    """C_T of a nucleus from C_T^u and C_T^d, CL Eq. (5) with δ_u read for the misprinted δ_n."""
    (p_u, p_d), (n_u, n_d) = content.tensor_charge_proton, content.tensor_charge_neutron
    return nuclide.Z * (u * p_u + d * p_d), nuclide.N * (u * n_u + d * n_d)


def weak_charge(nuclide: Nuclide, sin2_theta_w: float | Floats = SIN2_THETA_W) -> tuple[float | Floats, float]:
    """Z g_p and N g_n of the Standard Model's vector coupling, CLLS below Eq. (22)."""
    return nuclide.Z * (0.5 - 2.0 * sin2_theta_w), nuclide.N * -0.5
