"""Numbers that Chang & Liao 2020 (CL) prints, Eqs. (17)–(20) and around them, and ours."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from cevns_fast.constants import KEV
from cevns_fast.cosmology.mixing import loop_dipole, mixing_bound, z_width_bound
from cevns_fast.experiments.built_in import load
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import Reactor
from cevns_fast.inference.mass_scan import heaviest_mass, mass_scan
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.nuclear.nuclei import nuclide
from cevns_fast.papers.chang_liao_figures import FIG2_E, FIG2_M_CHI, LIGHT, SETUPS, dipole_peak
from cevns_fast.papers.report import PrintedNumber


class Convention(NamedTuple):
    """Another way to obtain a bound: what it does to the experiment, and the variant of the interaction."""

    name: str
    changed: Callable[[Experiment], Experiment] = lambda experiment: experiment
    variant: Literal["published", "corrected"] = "published"


AS_PRINTED = Convention("")
PREFACTOR = Convention("the dipole prefactor e v_H/2 in place of s_W M_W", variant="corrected")
ALPHA_ON_SM = Convention(
    "alpha on the Standard Model only, which is not Eq. (13)",
    lambda e: e.replace(signal_uncertainty_on="standard_model"),
)
LIVE_TIME = Convention(
    "four fifths of the exposure, as the live time is not stated", lambda e: e.replace(exposure=0.8 * e.exposure)
)


class Bound(NamedTuple):
    """One cell of Eqs. (17)–(20): the bound on the coupling squared as printed, what else to try, why ours differs."""

    equation: str
    coupling: str
    setup: str
    printed: str
    otherwise: tuple[Convention, ...] = ()
    reason: str = ""

    def obtained(self, convention: Convention = AS_PRINTED) -> float:
        """What we obtain for a light χ."""
        experiment = convention.changed(SETUPS[self.setup].load())
        light = SingletEFT(LIGHT, variant=convention.variant)
        return float(mass_scan([experiment], [light], [self.coupling], cl=0.90)[self.coupling][0]) ** 2

    def number(self) -> PrintedNumber:
        """Beside what is printed."""
        return PrintedNumber(
            self.equation, f"|{self.coupling}|^2", self.setup, self.printed, self.obtained(), self.reason,
            otherwise={each.name: self.obtained(each) for each in self.otherwise},
        )  # fmt: skip


BOUNDS = (
    Bound("(17)", "a_M", "COHERENT", "7.2e-8", (PREFACTOR,)),
    Bound("(17)", "a_M", "future COHERENT", "8.3e-9", (PREFACTOR,)),
    Bound("(17)", "a_M", "future CONUS", "1.0e-12", (PREFACTOR, LIVE_TIME)),
    Bound(
        "(18)", "C_S", "COHERENT", "4.5e-4", (),
        "no common choice of conventions gives it and the other three; with half the rate (left-handed beam) "
        "it is 1.08, but those are then about twice too weak: probably a slip of the paper",
    ),
    Bound("(18)", "C_S", "future COHERENT", "1.4e-5"),
    Bound(
        "(18)", "C_S", "future CONUS", "4.6e-8", (),
        "no common choice of conventions gives it and the other three; with a flux of 2.5e13 |C_S| itself is 4.6e-4, "
        "as if its square had been written wrongly: probably a slip of the paper, unproven",
    ),
    Bound("(19)", "C_V", "COHERENT", "1.1e-2"),
    Bound(
        "(19)", "C_V", "future COHERENT", "4.2e-3", (ALPHA_ON_SM,),
        "Eq. (13) scales the whole prediction by 1 + alpha",
    ),
    Bound("(19)", "C_V", "future CONUS", "1.4e-3"),
    Bound("(20)", "C_T", "COHERENT", "7.9e-2"),
    Bound("(20)", "C_T", "future COHERENT", "9.1e-3"),
    Bound("(20)", "C_T", "future CONUS", "2.0e-4", (LIVE_TIME,)),
)  # fmt: skip


def reactor_flux() -> tuple[float, float]:
    """Share (%) of the antineutrinos above 2 MeV that are below 3 MeV, and their mean energy (MeV): footnote 8.

    Examples
    --------
    >>> [round(each, 1) for each in reactor_flux()]
    [56.5, 3.1]
    """
    reactor = SETUPS["future CONUS"].load().source
    assert isinstance(reactor, Reactor)
    E = np.linspace(2.0, max(reactor.breakpoints), 6001)
    flux = np.asarray(reactor.spectrum(E))
    whole = np.trapezoid(flux, E)
    return float(100 * np.trapezoid(flux[E <= 3.0], E[E <= 3.0]) / whole), float(np.trapezoid(E * flux, E) / whole)


def kink_mass() -> float:
    """Mass (MeV) at which the bound of CONUS on the dipole has its kink.

    Examples
    --------
    >>> round(kink_mass(), 1)
    3.8
    """
    masses = np.linspace(3.0, 5.0, 201)
    batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
    upper = mass_scan([SETUPS["future CONUS"].load()], batch, ["a_M"], cl=0.90)["a_M"]
    return float(masses[np.argmax(np.diff(upper) < 0)])


def numbers() -> list[PrintedNumber]:
    """Eqs. (8), (14), (17)–(20), footnote 8, and what Sec. IV says of Fig. 3."""
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    heaviest = heaviest_mass([load("coherent-csi-2017")])
    bounds = [bound.number() for bound in BOUNDS]
    share, mean = reactor_flux()
    return [
        PrintedNumber("(8)", "T_peak [keV]", "Fig. 2", "2", peak),
        PrintedNumber("(14)", "largest m_chi [MeV]", "COHERENT", "53", heaviest),
        PrintedNumber("Sec. IV", "|a_M|", "COHERENT, light chi", "3e-4", bounds[0].ours ** 0.5),
        PrintedNumber(
            "Sec. IV", "m_chi of the kink [MeV]", "future CONUS, a_M", "4", kink_mass(),
            "its cause is the uncertainty of the flux, not the cancellation that the paper names",
        ),
        PrintedNumber("footnote 8", "share of the flux above 2 MeV in 2-3 MeV [%]", "future CONUS", "57", share),
        PrintedNumber("footnote 8", "mean energy above 2 MeV [MeV]", "future CONUS", "3.1", mean),
        *bounds,
        *beyond_the_recoil(),
    ]  # fmt: skip


def beyond_the_recoil() -> list[PrintedNumber]:
    """Eq. (21) and Appendix B, from the paper's own bounds (19)."""
    width = z_width_bound()
    return [
        PrintedNumber(
            "(21)", "a_M from a b loop", "m_chi = 1 MeV", "2e-9", loop_dipole(1.0), "a ballpark estimate",
            otherwise={"ln(M_W^2/m_b^2)": loop_dipole(1.0, logarithm="M_W^2/m_q^2")},
        ),
        PrintedNumber(
            "(B4)", "sum of |U|^2 over heavy states", "LEP", "1.1e-2", width.exact,
            "|dGamma/Gamma| itself is printed; (B3) lacks 1/3", 0.01,
            {"|dGamma/Gamma|": width.as_quoted, "(B3) as printed": width.published},
        ),
        *(
            PrintedNumber("(B5)", "sum of |U|^2 over light states", setup, printed, float(mixing_bound(limit, target)))
            for setup, printed, limit, target in (
                ("COHERENT", "0.65", 1.1e-2, "CsI"),
                ("future COHERENT", "0.28", 4.2e-3, "Ar40"),
                ("future CONUS", "0.09", 1.4e-3, "Ge"),
            )
        ),
    ]  # fmt: skip
