"""Counts as POPxf files, and data beside them: CEvNS in the global fits that smelli and jelli make.

POPxf (Polynomial Observable Prediction eXchange Format, version 1.0) holds observables as polynomials in the real and
imaginary parts of parameters; what was measured stands in another file, as the distributions that jelli reads.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np

from cevns_fast import __version__
from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import CountPolynomial, WithStandardModel, total_polynomial
from cevns_fast.counts.templates import real_among
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.matching import EPSILON_PER_WILSON, wilson_coefficients
from cevns_fast.interactions.nsi import NSI, is_off_diagonal
from cevns_fast.interactions.process import Interaction, spelled_out
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.likelihood.assembly import Assembly
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.pulls import NuisanceCurve, Pull

_SCHEMAS = "https://json.schemastore.org"
_HIGHEST_ORDER = 5  # of POPxf 1.0
#: GeV: where quarks become nucleons, and where `nsi_from_wilson` evaluates coefficients.
HADRONIC_SCALE = 2.0

Atom = tuple[str, str]  # a parameter and its real part, "R", or its imaginary one, "I"
Monomial = tuple[Atom, ...]  # sorted
Basis = Literal["couplings", "WET-3"]


class _Form(NamedTuple):
    """A coupling as a linear form in parameters, c Σ p."""

    name: str
    factor: float
    parameters: tuple[str, ...]
    is_complex: bool


def popxf_predictions(
    experiments: Experiment | Sequence[Experiment],
    interaction: Interaction,
    couplings: Sequence[str] | None = None,
    *,
    complex_couplings: Sequence[str] = (),
    basis: Basis = "couplings",
    standard_model: WithStandardModel = True,
    nuisances: Sequence[Nuisance] = (),
    uncertainties: bool = False,
    scale: float = HADRONIC_SCALE,
) -> dict[str, Any]:
    """Expected counts of signal as a POPxf file: polynomials in couplings, an observable for each bin.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
    interaction : Interaction
        Other values than those of the couplings are the interaction's.
    couplings : sequence of str, optional
        The parameters; by default ``interaction.default_couplings``.
    complex_couplings : sequence of str
        Those of them whose imaginary parts are parameters as well.
    basis : {"couplings", "WET-3"}
        What the parameters are: the couplings, a custom basis of POPxf; or, for `NSI`, the Wilson coefficients of the
        Weak Effective Theory with three flavours that ε is made of, in the basis "JMS" of WCxf, in GeV⁻². Those that
        change flavours are complex there.
    standard_model : bool or StandardModel
        What is added to the counts of new physics, with its interference.
    nuisances : sequence of nuisances
        As for `Likelihood`; for `uncertainties`.
    uncertainties : bool
        Whether each nuisance that moves the signal is a source of uncertainty in the file: what one standard deviation
        adds to each coefficient, with its sign, fully correlated between bins. jelli 0.1 cannot read these.
    scale : float
        GeV, where parameters are defined. No running is done; 2 GeV is where Wilson coefficients become ε.

    Returns
    -------
    dict
        ``json.dump`` writes it. Names of observables are ``EXPERIMENT[BIN]``, counted from 0. Data have backgrounds
        beside the signal: `popxf_measurements` subtracts them.

    Raises
    ------
    ValueError
        If an argument is refused, a polynomial is of higher order than the fifth, or a complex coupling is one that
        must be real.

    Notes
    -----
    I. Brivio et al., arXiv:2511.17348; https://json.schemastore.org/popxf-1.0.json. jelli (0.1) evaluates
    polynomials up to the second order: its custom basis is ``CustomBasis(**file["metadata"]["basis"]["custom"])``.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> file = cf.popxf_predictions(cf.load("coherent-csi-2017"), cf.SingletEFT(20.0), ["C_V", "a_M"])
    >>> sorted(file["data"]["observable_central"])
    ["('', '', 'RR')", "('C_V', 'C_V', 'RR')", "('C_V', 'a_M', 'RR')", "('a_M', 'a_M', 'RR')"]
    >>> file = cf.popxf_predictions(cf.load("coherent-csi-2017"), cf.NSI(), ["eps_ee_u"], basis="WET-3")
    >>> file["metadata"]["parameters"]
    ['VnuuLL_1111', 'VnuuLR_1111']
    """
    wanted = validate.flag("uncertainties", uncertainties)
    _check(interaction)
    kind = type(interaction)
    names = kind.check_couplings(kind.default_couplings if couplings is None else couplings, {})
    if not names:
        raise ValueError(f"couplings = {couplings!r}: must name at least one coupling")
    validate.choice("basis", basis, ("couplings", "WET-3"))
    validate.number("scale", scale, positive=True)
    assembly = Assembly(experiments, nuisances=nuisances, standard_model=standard_model)
    assembly.check_names(kind)
    forms = _forms(interaction, names, complex_couplings, basis)
    for e in assembly.experiments:
        for name in real_among(names, kind, e):
            if forms[name].is_complex:
                raise ValueError(f"{name}: must be real for {e.name}, whose source has coherent flavours")
    n_bins = [e.n_bins for e in assembly.experiments]
    ends = np.cumsum([0, *n_bins])
    central = _Polynomial(int(ends[-1]))
    moved = {pull.name: _Polynomial(int(ends[-1])) for pull in assembly.pulls}
    for i, e in enumerate(assembly.experiments):
        bins = slice(int(ends[i]), int(ends[i + 1]))
        found = total_polynomial(e, [interaction], names, standard_model=standard_model)
        for exponents, values, turned in zip(found.exponents, found.values[0], found.imaginary[0], strict=True):
            central.add(exponents, values, turned, names, forms, bins)
        if not wanted:
            continue
        for pull in assembly.pulls:
            _add_moves(moved[pull.name], pull, i, found, names, forms, bins, interaction, standard_model)
    order = max(2, *map(len, central.terms))
    if order > _HIGHEST_ORDER:
        raise ValueError(f"interaction: counts are of order {order} in {names}, must be at most {_HIGHEST_ORDER}")
    parameters = sorted({parameter for form in forms.values() for parameter in form.parameters})
    data: dict[str, Any] = {"observable_central": central.written(order)}
    if wanted:
        data["observable_uncertainties"] = {name: p.written(order) for name, p in moved.items() if p.terms}
    about = {
        "description": "counts of recoils in each bin, without backgrounds",
        "experiments": {
            label: {"citation": e.citation, "observable": e.detector.response.observable, "bins": _edges(e)}
            for label, e in zip(assembly.labels, assembly.experiments, strict=True)
        },
    }
    metadata: dict[str, Any] = {
        "observable_names": _observables(assembly),
        "basis": _basis(interaction, basis, forms),
        "parameters": parameters,
        "scale": scale,
        "reproducibility": [
            {
                "description": f"{spelled_out(interaction)}; Standard Model: {spelled_out(standard_model)}",
                "tool": {"name": "cevns_fast", "version": __version__},
            }
        ],
        "misc": about,
    }
    if order > 2:
        metadata["polynomial_degree"] = order
    return {"$schema": f"{_SCHEMAS}/popxf-1.0.json", "metadata": metadata, "data": data}


def popxf_measurements(
    experiments: Experiment | Sequence[Experiment],
    interaction: Interaction | None = None,
    *,
    standard_model: WithStandardModel = True,
    nuisances: Sequence[Nuisance] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """The data of the observables of `popxf_predictions` as jelli reads them: a normal distribution of all bins.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        As for the predictions. Their Gaussian variances are taken, also where their statistic is Poisson.
    interaction : Interaction, optional
        Where uncertainties that follow the signal are evaluated; by default the Standard Model alone.
    standard_model : bool or StandardModel
        What is added to the counts of new physics.
    nuisances : sequence of nuisances
        As for `Likelihood`.
    name : str, optional
        Of the measurement; by default those of the experiments.

    Returns
    -------
    dict
        ``json.dump`` writes it. Counts less backgrounds, and the covariance of statistical errors and of all
        nuisances.

    Raises
    ------
    ValueError
        If an argument is refused, a variance is not positive, or nothing constrains a nuisance.

    Notes
    -----
    −2 ln L of jelli is then χ² of `Likelihood` where the signal is that of `interaction`; elsewhere too, up to a
    constant, as far as nuisances do not follow the signal. Nuisances that are no straight lines are replaced by their
    tangents.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> file = cf.popxf_measurements(cf.load("coherent-csi-2017"))
    >>> (constraint,) = file["coherent-csi-2017"]
    >>> constraint["distribution_type"], constraint["observables"][0]
    ('MultivariateNormalDistribution', 'coherent-csi-2017[0]')
    """
    chosen = StandardModel() if interaction is None else _check(interaction)
    assembly = Assembly(experiments, nuisances=nuisances, standard_model=standard_model, statistic="gaussian")
    title = "+".join(assembly.labels) if name is None else validate.text("name", name)
    for pull in assembly.pulls:
        if pull.is_free:
            raise ValueError(f"nuisances: {pull.owner} is free: a measurement's must be constrained")
    data, variance = [], []
    columns: list[list[Floats]] = [[] for _ in assembly.pulls]
    for i in range(len(assembly.experiments)):
        observed, tables = assembly.observed[i], assembly.counts(i, (), {}).of([chosen])[1][0][:, 0]
        signal = tables[0]
        variance.append(assembly.variance(i, signal))
        data.append(observed.data - observed.base)
        table = 0
        for column, pull in zip(columns, assembly.pulls, strict=True):
            table += pull.shapes[i] is not None
            column.append(_tangent(assembly, pull, i, signal, tables[table] if pull.shapes[i] is not None else 0.0))
    moves = np.array([np.concatenate(column) for column in columns]).reshape(len(columns), sum(map(len, data)))
    covariance = np.diag(np.concatenate(variance)) + moves.T @ moves
    deviations = np.sqrt(np.diag(covariance))
    constraint = {
        "observables": _observables(assembly),
        "distribution_type": "MultivariateNormalDistribution",
        "central_value": np.concatenate(data).tolist(),
        "standard_deviation": deviations.tolist(),
        "correlation": (covariance / np.outer(deviations, deviations)).tolist(),
    }
    return {"$schema": f"{_SCHEMAS}/pdfxf-1.0.json", title: [constraint]}


class _Polynomial:
    """Coefficients of all bins by monomial."""

    def __init__(self, n_bins: int) -> None:
        self.terms: dict[Monomial, Floats] = {}
        self._n_bins = n_bins

    def add(
        self,
        exponents: Sequence[int],
        real: Floats,
        imaginary: Floats,
        names: Sequence[str],
        forms: Mapping[str, _Form],
        bins: slice,
    ) -> None:
        """Add what multiplies Re(x* y), and Im(x* y), in some of the bins; Re x and Im x for one coupling."""
        chosen = [forms[name] for name, e in zip(names, exponents, strict=True) for _ in range(e)]
        if len(chosen) == 1:
            parts = [("R", real), ("I", imaginary)]
        elif len(chosen) == 2:
            parts = [("RR", real), ("II", real), ("RI", imaginary), ("IR", -imaginary)]
        else:
            parts = [("R" * len(chosen), real)]
            for form in chosen:
                if form.is_complex:
                    raise ValueError(
                        f"complex_couplings: {form.name!r} enters to the order {len(chosen)}: must be real"
                    )
        for letters, values in parts:
            if any(letter == "I" and not form.is_complex for letter, form in zip(letters, chosen, strict=True)):
                continue
            if not np.any(values) and chosen:
                continue
            factor = math.prod(form.factor for form in chosen)
            for each in product(*(form.parameters for form in chosen)):
                monomial = tuple(sorted(zip(each, letters, strict=True)))
                total = self.terms.setdefault(monomial, np.zeros(self._n_bins))
                total[bins] += factor * values

    def written(self, order: int) -> dict[str, list[float]]:
        """Keys of POPxf: names in order, "" for what is not there, then the parts."""
        found = {}
        for monomial, values in sorted(self.terms.items(), key=lambda item: (len(item[0]), item[0])):
            padded = (*[("", "R")] * (order - len(monomial)), *monomial)
            key = (*(name for name, _ in padded), "".join(part for _, part in padded))
            found[repr(key)] = values.tolist()
        return found


def _forms(
    interaction: Interaction, names: Sequence[str], complex_couplings: Sequence[str], basis: str
) -> dict[str, _Form]:
    """Couplings in terms of the file's parameters."""
    if basis == "WET-3":
        if not isinstance(interaction, NSI):
            raise ValueError(f"basis = {basis!r}: is for NSI, not for {type(interaction).__name__}")
        if len(complex_couplings):
            raise ValueError(f"complex_couplings = {complex_couplings!r}: must be empty for basis = {basis!r}")
        return {
            name: _Form(name, EPSILON_PER_WILSON, wilson_coefficients(name), is_off_diagonal(name)) for name in names
        }
    turned = validate.names("complex_couplings", complex_couplings) if len(complex_couplings) else ()
    held = [f.name for f in fields(interaction)]  # type: ignore[arg-type]
    for name in turned:
        validate.choice("complex_couplings", name, names)
        if name in held:
            try:
                interaction.replace(**{name: 1j})
            except ValueError as error:
                raise ValueError(f"complex_couplings: {name!r}: must be real: {error}") from None
    return {name: _Form(name, 1.0, (name,), name in turned) for name in names}


def _basis(interaction: Interaction, basis: str, forms: Mapping[str, _Form]) -> dict[str, Any]:
    """What POPxf says of the parameters; of a custom basis, as jelli's `CustomBasis` wants it."""
    if basis == "WET-3":
        return {"wcxf": {"eft": "WET-3", "basis": "JMS", "sectors": ["ffnunu"]}}
    kinds = {name: "C" if form.is_complex else "R" for name, form in sorted(forms.items())}
    return {"custom": {"name": f"cevns_fast.{type(interaction).__name__}", "parameters": kinds}}


def _add_moves(
    moved: _Polynomial,
    pull: Pull,
    i: int,
    found: CountPolynomial,
    names: Sequence[str],
    forms: Mapping[str, _Form],
    bins: slice,
    interaction: Interaction,
    standard_model: WithStandardModel,
) -> None:
    """What one standard deviation of a nuisance adds to the counts of an experiment."""
    size = pull.scale[i] + sum(_slope(c) for c in pull.curves if (c.experiment, c.sample) == (i, 0))
    if size:
        for exponents, values, turned in zip(found.exponents, found.values[0], found.imaginary[0], strict=True):
            moved.add(exponents, size * values, size * turned, names, forms, bins)
    pair = pull.shapes[i]
    if pair is not None:
        for sign, variant in zip((0.5, -0.5), pair, strict=True):
            one = total_polynomial(variant, [interaction], names, standard_model=standard_model)
            for exponents, values, turned in zip(one.exponents, one.values[0], one.imaginary[0], strict=True):
                moved.add(exponents, sign * values, sign * turned, names, forms, bins)
    if pull.own == i and pull.background is None and pull.shift[i].any():
        moved.add((0,) * len(names), pull.shift[i], 0 * pull.shift[i], names, forms, bins)


def _tangent(assembly: Assembly, pull: Pull, i: int, signal: Floats, shape: Any) -> Floats:
    """What a nuisance adds to all counts of an experiment, per standard deviation."""
    found = pull.shift[i] + pull.scale[i] * signal + shape
    for curve in pull.curves:
        if curve.experiment == i:
            counts = signal if curve.sample == 0 else assembly.experiments[i].backgrounds[curve.sample - 1].counts
            found = found + _slope(curve) * counts
    return np.asarray(found)


def _slope(curve: NuisanceCurve) -> float:
    """Of a factor at the nominal value; a bend has none there."""
    if curve.bent is not None:
        return 0.0
    return curve.polynomial[0] if curve.polynomial else curve.log_up


def _check(interaction: Any) -> Interaction:
    """`ValueError` unless it is an interaction."""
    if not isinstance(interaction, Interaction):
        raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    return interaction


def _observables(assembly: Assembly) -> list[str]:
    """A name for each bin."""
    return [
        f"{label}[{j}]" for label, e in zip(assembly.labels, assembly.experiments, strict=True) for j in range(e.n_bins)
    ]


def _edges(experiment: Experiment) -> list[list[float]]:
    """Lower and upper edge of each bin."""
    return [list(map(float, pair)) for pair in zip(*experiment.bin_edges, strict=True)]
