"""All public data: each set beside what its own collaboration printed, and what all say together.

No paper stands behind this: numbers are those of each collaboration, and the bounds of the three papers are redone with
all data beside those of 2017.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import SIN2_THETA_W_LOW_ENERGY
from cevns_fast.counts.templates import event_rate
from cevns_fast.experiments.built_in import load
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.confidence import threshold
from cevns_fast.inference.correlation import correlation_scan
from cevns_fast.inference.strength import Strength, fitted_strength
from cevns_fast.interactions.nsi import NSI
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.likelihood.likelihood import Likelihood
from cevns_fast.likelihood.measurement import measurement_of
from cevns_fast.nuclear.form_factors import HelmFormFactor
from cevns_fast.output import plotting
from cevns_fast.output.drawing import LOOKS, Curve, Panel, blank, coupling_symbol, style
from cevns_fast.output.tables import Column, Sheet
from cevns_fast.papers.report import Paper, PaperFigure, PaperTable, PrintedNumber

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL = StandardModel(sin2_theta_w=SIN2_THETA_W_LOW_ENERGY)
SETS = (
    "coherent-csi-2021", "coherent-csi-2017-time", "coherent-lar-2020", "coherent-ge-2024", "conusplus-2025",
    "xenonnt-sr0", "xenonnt-sr1", "xenonnt-sr2", "pandax-4t-2024",
)  # fmt: skip
#: Without those that are contained in another.
TOGETHER = tuple(name for name in SETS if name != "coherent-csi-2017-time")
OLD = "coherent-csi-2017"
LEVEL = threshold(0.90, None, 1)


# --- each set: what was counted, what is expected ------------------------------------------------


def _axis_of(experiment: Experiment, axis: str) -> tuple[Floats, int]:
    """Edges along an axis, and its number."""
    if axis == "observable":
        return np.array(experiment.detector.bins), 0
    assert experiment.time is not None
    return np.array(experiment.time.edges), 1


def _along(experiment: Experiment, counts: Floats, number: int) -> Floats:
    """Counts summed over all other axes."""
    grid = experiment.reshape(counts)
    if experiment.release is not None and experiment.release.name == "beam":
        grid = grid[..., :1]  # beam on
    return np.asarray(np.nansum(grid, axis=tuple(i for i in range(grid.ndim) if i != number)))


def spectrum(name: str) -> Sheet:
    """Counts along the observable and, where there is one, the time axis; with the Standard Model and backgrounds."""
    experiment = load(name)
    measured, expected = measurement_of(experiment), event_rate(experiment, MODEL)
    assert experiment.observed is not None
    counted = experiment.observed + measured.steady_state
    samples = {"Standard Model": expected, **{b.name: b.counts for b in experiment.backgrounds}}
    if measured.steady_state.any():
        samples["steady state"] = measured.steady_state
    free = {b.name: b for b in experiment.backgrounds if b.uncertainty > 100}
    if free:  # their size is known from the fit alone
        found = Likelihood(experiment).nuisances(MODEL)
        samples |= {n: b.counts * (1 + found[f"beta: {n}"]) for n, b in free.items()}
    axes = ["observable", *(["time"] if experiment.time is not None else [])]
    axes = [axis for axis in axes if _axis_of(experiment, axis)[0].size > 2]
    rows: dict[str, list[Any]] = {
        key: [] for key in ("axis", "low", "high", "counts", "error", *samples, "total", "pull")
    }
    for axis in axes:
        edges, number = _axis_of(experiment, axis)
        along = {label: _along(experiment, values, number) for label, values in samples.items()}
        data, total = _along(experiment, counted, number), np.sum(list(along.values()), axis=0)
        error = np.sqrt(_along(experiment, counted if experiment.sigma is None else experiment.sigma**2, number))
        sigma = np.sqrt(total) if experiment.sigma is None else error
        rows["axis"] += [axis] * data.size
        for key, values in (("low", edges[:-1]), ("high", edges[1:]), ("counts", data), ("error", error),
                            *along.items(), ("total", total), ("pull", (data - total) / sigma)):  # fmt: skip
            rows[key] += values.tolist()
    about = {
        "experiment": f"{experiment.name}: {experiment.description}",
        "axes": f"observable: {experiment.detector.response.observable}; time in µs",
        "counts": "with the beam on, all backgrounds included; an excess where the data are one",
        "pull": "(counts − total)/σ, before any fit",
    }
    if experiment.approximate:
        about["approximate"] = experiment.approximate
    columns: dict[str, Column] = dict(rows)
    return Sheet(columns, about)


def draw_spectrum(name: str, table: Sheet) -> "Figure":
    """Stacked expectation, data and residuals; a column for each axis."""
    experiment, axes = load(name), list(dict.fromkeys(table.columns["axis"]))
    samples = list(table.columns)[5:-2]
    with style():
        figure = blank(3.6 * len(axes) + 0.4, 3.9)
        grid = figure.subplots(2, len(axes), squeeze=False, height_ratios=[3, 1], sharex="col")
        for (top, bottom), axis in zip(grid.T, axes, strict=True):
            _draw_axis(top, bottom, experiment, str(axis), table, samples)
        grid[0, 0].legend(title=f"{name} (approximate)" if experiment.approximate else name, fontsize=7)
    return figure


def _draw_axis(
    top: "Axes", bottom: "Axes", experiment: Experiment, axis: str, table: Sheet, samples: Sequence[str]
) -> None:
    """Counts above, residuals below."""
    rows = [i for i, each in enumerate(table.columns["axis"]) if each == axis]
    column = {key: np.array(values, dtype=object)[rows] for key, values in table.columns.items() if key != "axis"}
    numbers = {key: values.astype(float) for key, values in column.items()}
    edges = np.append(numbers["low"], numbers["high"][-1])
    widths, middle = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    if np.allclose(widths, widths[0]):
        widths = np.ones_like(widths)
    lower = np.zeros_like(middle)
    for label, (color, _) in zip(reversed(samples), LOOKS[1:], strict=False):
        upper = lower + numbers[label] / widths
        top.stairs(upper, edges, baseline=lower, fill=True, color=color, alpha=0.45, label=label)
        lower = upper
    top.errorbar(
        middle, numbers["counts"] / widths, yerr=numbers["error"] / widths, fmt="o", color="black", markersize=2.5,
        linewidth=0.8, label="data",
    )  # fmt: skip
    bottom.axhline(0.0, color="0.5", linewidth=0.6)
    bottom.errorbar(middle, numbers["pull"], yerr=1.0, fmt="o", color="black", markersize=2, linewidth=0.7)
    label = experiment.detector.response.observable if axis == "observable" else "time [µs]"
    top.set(ylabel="counts per bin" if widths[0] == 1 and np.ptp(widths) == 0 else "counts per unit")
    bottom.set(xlabel=label, ylabel="pull", xlim=(edges[0], edges[-1]), ylim=(-4, 4))


# --- numbers -------------------------------------------------------------------------------------


@remember(maxsize=32)
def _strength(*names: str) -> Strength:
    model = StandardModel() if names == ("coherent-csi-2017-time",) else MODEL
    return fitted_strength([load(name) for name in names], model)


def strengths() -> Sheet:
    """Events that each set holds and should hold, and what its collaboration found."""
    listed = [load(name) for name in SETS]
    found = [_strength(name) for name in SETS]
    return Sheet(
        {
            "set": [f"{e.name} (approximate)" if e.approximate else e.name for e in listed],
            "expected": [s.expected for s in found],
            "fitted": [s.value for s in found],
            "up": [s.up for s in found],
            "down": [s.down for s in found],
            "sigma": [s.sigma for s in found],
            "published": [e.published for e in listed],
        },
        {"fits": "of one size of the signal, with all nuisances but the signal's own", "sigma": "√Δχ² of no signal"},
    )


def numbers() -> list[PrintedNumber]:
    """What the collaborations printed, beside ours."""
    csi, lar, ge, old = (_strength(name) for name in (
        "coherent-csi-2021", "coherent-lar-2020", "coherent-ge-2024", "coherent-csi-2017-time"))  # fmt: skip
    conus, pandax = _strength("conusplus-2025"), _strength("pandax-4t-2024")
    exposed = float(event_rate(load("conusplus-2025"), MODEL) @ np.r_[1 / 3, 2 / 3, np.ones(17)]) * 327 / 119
    runs = _strength("xenonnt-sr0", "xenonnt-sr1")
    expected, fitted, sigma = "events expected", "events fitted", "no signal, σ"
    binned = "the paper fits its events without bins, with shape uncertainties"
    return [
        PrintedNumber("2110.07730", expected, "CsI 2021", "341", csi.expected, "312 with a model's R_n"),
        PrintedNumber("2110.07730", fitted, "CsI 2021", "306", csi.value, binned),
        PrintedNumber("2110.07730", sigma, "CsI 2021", "11.6", csi.sigma, binned),
        PrintedNumber("1708.01294", fitted, "CsI 2017", "134", old.value, "the paper fits other shapes"),
        PrintedNumber("2003.10630", expected, "LAr 2020", "128", lar.expected, "calibrated to it, in each bin"),
        PrintedNumber("2003.10630", fitted, "LAr 2020", "159", lar.value, "", 0.02),
        PrintedNumber("2406.13806", expected, "Ge-Mini 2024", "35.1", ge.expected, "", 0.02),
        PrintedNumber("2406.13806", fitted, "Ge-Mini 2024", "20.6", ge.value, "the paper fits energy too"),
        PrintedNumber("2501.05206", expected, "CONUS+ 2025", "347", exposed, "", 0.02),
        PrintedNumber(
            "2501.05206", "strength", "CONUS+ 2025", "1.14", conus.value / conus.expected,
            "a digitised figure, whose sum is 125 where the paper's number is 144",
        ),
        PrintedNumber("SR0 + SR1", fitted, "XENONnT", "10.7", runs.value, "another treatment of the yields"),
        PrintedNumber("SR0 + SR1", sigma, "XENONnT", "2.73", runs.sigma, "", 0.02),
        PrintedNumber(
            "2407.10892", sigma, "PandaX-4T 2024", "2.64", pandax.sigma,
            "two counts know less than the paper's distributions, and their background is not known better",
        ),
    ]  # fmt: skip


# --- together ------------------------------------------------------------------------------------

MIXING = tuple(np.linspace(0.10, 0.42, 49).tolist())


def mixing_angle() -> Sheet:
    """Δχ² over sin²θ_W for each set and for all."""
    listed = {name: [load(name)] for name in TOGETHER} | {"all": [load(name) for name in TOGETHER]}
    columns: dict[str, Column] = {"sin2_theta_w": list(MIXING)}
    for name, experiments in listed.items():
        like = Likelihood(experiments)
        chi2 = np.array([like.chi2(StandardModel(sin2_theta_w=s)) for s in MIXING])
        columns[name] = chi2 - chi2.min()
    return Sheet(columns, {"values": "Δχ², minimised over all nuisances, from the smallest on the grid"})


def draw_mixing_angle(table: Sheet) -> "Figure":
    """One line each."""
    x = np.array(table.columns["sin2_theta_w"], dtype=float)
    looks = [*LOOKS[1:], *((color, "-") for color, _ in LOOKS[1:])]
    curves = [
        Curve(name, x, np.array(values, dtype=float), look=("black", "-") if name == "all" else looks[i])
        for i, (name, values) in enumerate(list(table.columns.items())[1:])
    ]
    panel = Panel(curves, r"$\sin^2\theta_W$", r"$\Delta\chi^2$", (x[0], x[-1]), (0.0, 9.0), height=4.0)
    return plotting.shared_panels([[panel]])


RADII = tuple(np.linspace(3.0, 8.0, 41).tolist())


def neutron_radius() -> Sheet:
    """Δχ² over a common neutron radius of Cs and I."""
    columns: dict[str, Column] = {"R_n": list(RADII)}
    for name in (OLD, "coherent-csi-2021"):
        chi2 = []
        for radius in RADII:
            form_factor = HelmFormFactor("rms", neutron_radius=radius)
            chi2.append(Likelihood(load(name).replace(form_factor=form_factor)).chi2(MODEL))
        columns[name] = np.array(chi2) - min(chi2)
    return Sheet(columns, {"R_n": "fm, rms, of Cs and I alike", "values": "Δχ²"})


def draw_neutron_radius(table: Sheet) -> "Figure":
    """One line each."""
    x = np.array(table.columns["R_n"], dtype=float)
    curves = [
        Curve(name, x, np.array(values, dtype=float), look=i)
        for i, (name, values) in enumerate(list(table.columns.items())[1:])
    ]
    return plotting.panels([Panel(curves, r"$R_n$ of Cs and I  [fm]", r"$\Delta\chi^2$", (x[0], x[-1]), (0.0, 12.0))])


GRID = tuple(np.linspace(-0.16, 0.56, 61).tolist())


def nsi_plane() -> Sheet:
    """χ² in the plane of ε_ee and ε_μμ of up quarks, for CsI, for what is not CsI, and for all."""
    groups = {
        "CsI 2021": ("coherent-csi-2021",),
        "others": tuple(name for name in TOGETHER if name != "coherent-csi-2021"),
        "all": TOGETHER,
    }
    x, y = np.meshgrid(GRID, GRID, indexing="ij")
    columns: dict[str, Column] = {"eps_ee_u": x.ravel().tolist(), "eps_mumu_u": y.ravel().tolist()}
    for label, names in groups.items():
        scan = correlation_scan(
            [load(name) for name in names], NSI(), ("eps_ee_u", "eps_mumu_u"), np.array(GRID), np.array(GRID),
            standard_model=MODEL,
        )  # fmt: skip
        columns[label] = (scan.chi2 - scan.chi2.min()).ravel().tolist()
    return Sheet(columns, {"values": "Δχ², from the smallest on the grid; 4.61 is 90% CL of two parameters"})


def draw_nsi_plane(table: Sheet) -> "Figure":
    """Contours of 90% CL."""
    n = len(GRID)
    x, y = (np.array(table.columns[key], dtype=float).reshape(n, n) for key in ("eps_ee_u", "eps_mumu_u"))
    with style():
        figure = blank(4.2, 3.8)
        axes = figure.subplots()
        for label, (color, _) in zip(("CsI 2021", "others", "all"), LOOKS[1:], strict=False):
            chi2 = np.array(table.columns[label], dtype=float).reshape(n, n)
            axes.contour(x, y, chi2, levels=[4.61], colors=[color])
            axes.plot([], [], color=color, label=label)
        axes.plot([0], [0], "+", color="black", label="Standard Model")
        axes.set(xlabel=r"$\varepsilon_{ee}^u$", ylabel=r"$\varepsilon_{\mu\mu}^u$")
        axes.legend(title="90% CL", loc="center")
    return figure


# --- the papers' bounds again --------------------------------------------------------------------

COUPLINGS = ("C_S", "C_V", "C_T", "a_M")
MASSES = tuple(np.geomspace(0.1, 52.0, 14).tolist())
_LARGEST = {"C_S": 3.0, "C_V": 10.0, "C_T": 10.0, "a_M": 0.1, "y_bar": 3e-3}


def bound(experiments: Sequence[Experiment], model: Interaction, coupling: str) -> float:
    """The largest coupling within 90% CL of the best one; inf where there is none."""
    fit = Likelihood(experiments, standard_model=MODEL, model=model, parameters=(coupling,))
    largest = _LARGEST[coupling]
    grid = np.concatenate([[0.0], np.geomspace(1e-5 * largest, largest, 41)])
    values = np.array([fit([x]) for x in grid.tolist()])
    k = int(np.argmin(values))
    least = float(values[k])
    if 0 < k < len(grid) - 1:
        refined = optimize.minimize_scalar(lambda x: fit([x]), bounds=(grid[k - 1], grid[k + 1]), method="bounded")
        least = min(least, float(refined.fun))
    above = [i for i in range(k, len(grid)) if values[i] - least > LEVEL]
    if not above:
        return float("inf")
    i = above[0]
    return float(optimize.brentq(lambda x: fit([x]) - least - LEVEL, grid[i - 1], grid[i], xtol=1e-4 * grid[i - 1]))


def _bounds(make: Callable[[float], Interaction], couplings: Sequence[str]) -> Sheet:
    """Bounds over m_χ, of 2017 and of all data."""
    old, new = [load(OLD)], [load(name) for name in TOGETHER]
    columns: dict[str, Column] = {"m_chi": list(MASSES)}
    for coupling in couplings:
        for label, experiments in (("2017", old), ("all", new)):
            columns[f"{coupling} {label}"] = [bound(experiments, make(m), coupling) for m in MASSES]
    return Sheet(columns, {"m_chi": "MeV", "values": "upper bounds at 90% CL (Δχ² = 2.71)", "2017": OLD})


def eft_bounds() -> Sheet:
    """Bounds on the couplings of the effective theory."""
    return _bounds(lambda m: SingletEFT(m), COUPLINGS)


def scalar_bounds() -> Sheet:
    """Bounds on ȳ for m_S = 3 m_χ."""
    return _bounds(lambda m: ScalarMediator(m_chi=m, m_S=3 * m), ("y_bar",))


def draw_bounds(couplings: Sequence[str], table: Sheet) -> "Figure":
    """A panel for each coupling."""
    x = np.array(table.columns["m_chi"], dtype=float)
    return plotting.limit_panels({
        coupling_symbol(c): [
            Curve("CsI 2017", x, np.array(table.columns[f"{c} 2017"], dtype=float), look=1),
            Curve("all public data", x, np.array(table.columns[f"{c} all"], dtype=float), look=0, filled=True),
        ]
        for c in couplings
    })  # fmt: skip


_TITLES: Mapping[str, str] = {
    "coherent-csi-2021": "COHERENT CsI 2021", "coherent-csi-2017-time": "COHERENT CsI 2017 in time",
    "coherent-lar-2020": "COHERENT LAr 2020", "coherent-ge-2024": "COHERENT Ge-Mini 2024",
    "conusplus-2025": "CONUS+ 2025", "xenonnt-sr0": "XENONnT SR0", "xenonnt-sr1": "XENONnT SR1",
    "xenonnt-sr2": "XENONnT SR2", "pandax-4t-2024": "PandaX-4T 2024",
}  # fmt: skip

PAPER = Paper(
    title="All public data on CEvNS",
    citation="; ".join(dict.fromkeys(chain.from_iterable(load(name).citation.split("; ")[:1] for name in SETS))),
    figures=(
        *(
            PaperFigure(
                name, partial(spectrum, name), partial(draw_spectrum, name), title,
                "What was counted, the Standard Model and the backgrounds before any fit, and residuals.",
            )
            for name, title in _TITLES.items()
        ),
        PaperFigure("mixing-angle", mixing_angle, draw_mixing_angle, "The weak mixing angle, of each and of all"),
        PaperFigure("neutron-radius", neutron_radius, draw_neutron_radius, "The neutron radius of Cs and I"),
        PaperFigure("nsi", nsi_plane, draw_nsi_plane, "ε_ee and ε_μμ of up quarks"),
        PaperFigure(
            "eft", eft_bounds, partial(draw_bounds, COUPLINGS), "The effective theory's bounds, with all data",
            "Beside those of 2017, which Chang & Liao 2020 have.",
        ),
        PaperFigure(
            "scalar", scalar_bounds, partial(draw_bounds, ("y_bar",)), "The scalar mediator's bound for m_S = 3 m_χ",
            "Beside that of 2017.",
        ),
    ),
    numbers=numbers,
    tables=(PaperTable("strengths", strengths, "Events in each set"),),
)  # fmt: skip
