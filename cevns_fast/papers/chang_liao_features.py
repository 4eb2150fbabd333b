"""Two kinks in the bounds of Chang & Liao 2020 (CL), Fig. 3: the end of the ν_μ line, and CONUS's dipole."""

from typing import TYPE_CHECKING

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.counts.templates import event_rate
from cevns_fast.experiments.built_in import load
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import PION_LINE
from cevns_fast.inference.mass_scan import heaviest_mass, mass_scan
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.likelihood.measurement import measurement_of
from cevns_fast.output import plotting
from cevns_fast.output.drawing import Curve, Panel, coupling_symbol
from cevns_fast.output.tables import Sheet
from cevns_fast.papers.chang_liao_figures import CITATION, COUPLING_LOOKS, COUPLINGS, LIGHT, SETUPS, ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# --- the end of the ν_μ line in the bounds of COHERENT -------------------------------------------

EDGE_SETUPS = ("COHERENT", "future COHERENT")


def edge() -> Sheet:
    """Bounds over those for a light χ, where first the ν_μ line and then everything ends."""
    masses = np.concatenate(
        [np.linspace(20.0, 52.0, 321), heaviest_mass([load("coherent-csi-2017")]) - np.geomspace(0.8, 0.03, 20)]
    )
    batch = [SingletEFT(m, variant="published") for m in (LIGHT, *masses.tolist())]
    columns = {"m_chi": masses}
    for name in EDGE_SETUPS:
        for coupling, upper in mass_scan([SETUPS[name].load()], batch, COUPLINGS, cl=0.90).items():
            columns[f"{coupling} {name}"] = upper[1:] / upper[0]
    about = {
        "figure": f"the right end of {CITATION}, Fig. 3",
        "columns": f"m_chi [MeV]; largest allowed |coupling| over that for m_chi = {LIGHT:g} MeV",
        "nu_mu line": f"{PION_LINE:.4f} MeV",
    }
    return Sheet(columns, about)


def draw_edge(table: Sheet) -> "Figure":
    """A panel for each experiment."""
    masses = table.numbers("m_chi")
    line, end = ends().items()
    guides = {rf"$\nu_\mu$ line {line[0]}": line[1], f"end {end[0]}": end[1]}
    return plotting.shared_panels([
        [
            Panel(
                [
                    Curve(coupling_symbol(c), masses, table.numbers(f"{c} {name}"), COUPLING_LOOKS[c])
                    for c in COUPLINGS
                ],
                r"$m_\chi$  [MeV]", "relative bound", (20.0, 54.0),
                log_y=True, title=SETUPS[name].label, guides=guides, height=1.9,
            )
        ]
        for name in EDGE_SETUPS
    ], title=rf"90% CL bound over that for $m_\chi = {LIGHT:g}$ MeV")  # fmt: skip


# --- the kink of the CONUS dipole bound ----------------------------------------------------------

KINK_CURVES = {"a_M": "dipole", "C_S": "scalar", "C_V": "vector"}


def unlike_the_standard_model(experiment: Experiment, interactions: list[SingletEFT]) -> Floats:
    """Share of a signal that no change of the Standard Model's normalisation can imitate: sin of the angle between
    the two templates, in units of the statistical errors.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> signals = [cf.SingletEFT(m, a_M=1e-6) for m in (0.0, 3.8)]
    >>> unlike_the_standard_model(cf.load("conus-100kg"), signals).round(3).tolist()
    [0.264, 0.022]
    """
    errors = np.sqrt(measurement_of(experiment).variance)
    weak = event_rate(experiment, StandardModel()) / errors
    weak /= np.linalg.norm(weak)
    new = event_rate(experiment, interactions, standard_model=False) / errors
    return np.asarray(np.linalg.norm(new - np.outer(new @ weak, weak), axis=1) / np.linalg.norm(new, axis=1))


def kink() -> Sheet:
    """Bounds on the dipole with and without the flux's uncertainty, and what of a signal differs from the SM."""
    conus = SETUPS["future CONUS"].load()
    masses = np.concatenate([np.geomspace(0.5, 2.0, 40, endpoint=False), np.linspace(2.0, 7.9, 237)])
    batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
    columns = {"m_chi": masses}
    for sigma in (conus.signal_uncertainty, 0.0):
        known = conus.replace(signal_uncertainty=sigma)
        columns[f"a_M sigma_alpha={sigma:g}"] = mass_scan([known], batch, ["a_M"], cl=0.90)["a_M"]
    for coupling in KINK_CURVES:
        signals = [each.replace(**{coupling: 1e-6}) for each in batch]
        columns[f"unlike {coupling}"] = unlike_the_standard_model(conus, signals)
    about = {
        "figure": f"the kink near 4 MeV in the CONUS panel of {CITATION}, Fig. 3",
        "cause": "the paper names a cancellation in the cross section, but with a flux known exactly the bound is "
        "smooth. Near 3.8 MeV the dipole's spectrum has the Standard Model's shape, and the 5% uncertainty of the "
        "flux absorbs it",
        "columns": "m_chi [MeV]; largest allowed |a_M| at 90% CL with an uncertainty sigma_alpha of the flux; "
        "share of a signal that no change of the Standard Model's normalisation can imitate, for each coupling",
    }
    return Sheet(columns, about)


def draw_kink(table: Sheet) -> "Figure":
    """Bounds above, the share below."""
    masses, flux = table.numbers("m_chi"), SETUPS["future CONUS"].load().signal_uncertainty
    bounds = [
        Curve(rf"$\sigma_\alpha = {100 * flux:g}\%$", masses, table.numbers(f"a_M sigma_alpha={flux:g}"), 1),
        Curve(r"$\sigma_\alpha \to 0$", masses, table.numbers("a_M sigma_alpha=0"), 0),
    ]
    shares = [
        Curve(label, masses, table.numbers(f"unlike {coupling}"), COUPLING_LOOKS[coupling])
        for coupling, label in KINK_CURVES.items()
    ]
    x, ends = r"$m_\chi$  [MeV]", (0.5, 8.0)
    top = float(masses[np.argmin(shares[0].y)])
    return plotting.panels([
        Panel(bounds, x, r"$|a_M|$, 90% CL", ends, log_y=True, title="future CONUS",
              legend="upper left", guides={f"{top:.1f}": top}, height=2.3),
        Panel(shares, x, "share unlike the SM", ends, (1e-3, 1.5), log_y=True, legend="lower right",
              guides={f"{top:.1f}": top}, height=2.3),
    ])  # fmt: skip
