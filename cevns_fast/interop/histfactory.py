"""Experiments as a HistFactory workspace, for pyhf and whatever else reads its JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import WithStandardModel
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.likelihood.assembly import Assembly
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.pulls import Pull

_MEASUREMENT = "cevns_fast"
_STANDARD_MODEL, _STEADY_STATE = "standard_model", "steady state"
_GRAMMAR = "*^/()"


def pyhf_workspace(
    experiments: Experiment | Sequence[Experiment],
    interaction: Interaction,
    couplings: Sequence[str] | Mapping[str, float],
    *,
    nuisances: Sequence[Nuisance] = (),
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
) -> dict[str, Any]:
    """The likelihood ``statistic="poisson"`` of experiments as a workspace of pyhf.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        A channel each. Its data are the beam-on counts.
    interaction : Interaction
        Other values than those of the couplings are the interaction's.
    couplings : sequence of str, or mapping of str to float
        Those that stay free; with a mapping, the unit of each, so that normfactors are of order one.
    nuisances : sequence of nuisances
        As for `Likelihood`, whose names parameters have here.
    phases : mapping of str to complex, optional
        Directions of couplings in the complex plane, of modulus 1.
    standard_model : bool or StandardModel
        What is added to the counts of new physics.

    Returns
    -------
    dict
        ``pyhf.Workspace(...)`` takes it, ``json.dump`` writes it. Each product of couplings is a sample with a
        normfactor that `pyhf_parameters` gives; it may be negative. Nuisances are histosys, which are linear with a
        normal constraint, in standard deviations; those with factors are normsys; a free one is a normfactor, whose
        value is 1 + a. The steady-state background has a shapesys whose Poisson
        constraint is the off counts.

    Raises
    ------
    ValueError
        If an argument is refused, or an experiment cannot be one of Poisson counts. HistFactory has no constraint for
        a bin without off counts, no `CovarianceMatrix` but one of the signal, and no sum of a free nuisance and others
        on the same counts.

    Notes
    -----
    Cranmer et al. 2012, CERN-OPEN-2012-016. pyhf's −2 ln L and our χ² differ by a constant and by rounding. With
    normsys, which is exponential in its parameter, in place of histosys they would be different functions. The
    exponential of a log-normal nuisance is the interpolation code 1: ``workspace.model(modifier_settings={"normsys":
    {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}})``. pyhf's default, code 4, which
    an `AsymmetricNuisance` is, differs from it by less than 1e-8 for σ ≤ 0.3.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> workspace = cf.pyhf_workspace(csi, cf.SingletEFT(20.0), {"C_S": 0.01, "a_M": 1e-4})
    >>> [sample["name"] for sample in workspace["channels"][0]["samples"]]
    ['standard_model', '(C_S/0.01)^2', '(C_S/0.01)*(a_M/0.0001)', '(a_M/0.0001)^2', 'prompt neutrons', 'steady state']
    """
    assembly = Assembly(experiments, statistic="poisson", nuisances=nuisances, standard_model=standard_model)
    if not isinstance(interaction, Interaction):
        raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    units = _units(couplings)
    assembly.check_names(type(interaction))
    _check_kinds(assembly.pulls, assembly.experiments)
    channels, observations, normfactors = [], [], {}
    for i, (e, measurement) in enumerate(zip(assembly.experiments, assembly.measurements, strict=True)):
        name = assembly.labels[i]
        observed = measurement.poisson()
        exponents, values = assembly.counts(i, tuple(units), phases or {}).of([interaction])
        powers = np.prod(np.array(list(units.values())) ** np.array(exponents), axis=1)
        tables = values[0] * powers[:, None]  # [1 + shapes, monomials, bins]
        _check_names(name, e, [_label(each, units) or _STANDARD_MODEL for each in exponents])
        samples = []
        for m, each in enumerate(exponents):
            label = _label(each, units)
            if label:
                normfactors[label] = all(p % 2 == 0 for p in each)
            moved, table = {}, 0
            for pull in assembly.pulls:
                change = pull.scale[i] * tables[0, m]
                if pull.shapes[i] is not None:
                    table += 1
                    change = change + tables[table, m]
                elif not label and pull.own == i and pull.background is None:
                    change = change + pull.shift[i]
                moved[pull.name] = _Move(change, -change)
            samples.append(
                _sample(label or _STANDARD_MODEL, tables[0, m], assembly.pulls, i, 0, moved, normfactor=label)
            )
        for j, b in enumerate(e.backgrounds, 1):
            moved = {p.name: _moved(p, i, j) for p in assembly.pulls if p.sample(i) == j}
            samples.append(_sample(b.name, b.counts, assembly.pulls, i, j, moved))
        steady = _sample(_STEADY_STATE, measurement.steady_state, (), i, -1, {})
        if math.isfinite(observed.off_on_ratio):
            if np.any(measurement.steady_state <= 0):
                bad = int(np.argmin(measurement.steady_state))
                raise ValueError(f"{e.name}: off counts of bin {bad} = 0: a HistFactory workspace needs them > 0")
            data = np.sqrt(measurement.steady_state / observed.off_on_ratio).tolist()
            steady["modifiers"].append({"name": _off_counts(name), "type": "shapesys", "data": data})
        samples.append(steady)
        channels.append({"name": name, "samples": samples})
        observations.append({"name": name, "data": observed.data.tolist()})
    validate.unique(
        [
            *((label, f"the normfactor of {label}") for label in normfactors),
            *((pull.name, pull.owner) for pull in assembly.pulls),
            *((_off_counts(label), f"the off counts of {label}") for label in assembly.labels),
        ]
    )
    ranges = [
        {"name": label, "inits": [0.0], "bounds": [[0.0 if even else -1e3, 1e3]]} for label, even in normfactors.items()
    ]
    poi = next(iter(normfactors)) if len(normfactors) == 1 else ""
    config = {"poi": poi, "parameters": ranges}
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": _MEASUREMENT, "config": config}],
        "version": "1.0.0",
    }


def pyhf_parameters(workspace: Mapping[str, Any], couplings: Mapping[str, float]) -> dict[str, float]:
    """The normfactors of a workspace for values of the couplings; those not named are zero.

    Parameters
    ----------
    workspace : dict
        From `pyhf_workspace`.
    couplings : mapping of str to float

    Returns
    -------
    dict
        From a normfactor's name to its value.

    Raises
    ------
    ValueError
        If a coupling is unknown or not a finite number.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> workspace = cf.pyhf_workspace(csi, cf.SingletEFT(20.0), {"C_S": 0.01, "a_M": 1e-4})
    >>> cf.pyhf_parameters(workspace, {"C_S": 0.02, "a_M": 1e-4})
    {'(C_S/0.01)^2': 4.0, '(C_S/0.01)*(a_M/0.0001)': 2.0, '(a_M/0.0001)^2': 1.0}
    """
    labels = [each["name"] for each in workspace["measurements"][0]["config"]["parameters"]]
    factors = {label: [_factor(text) for text in label.split("*")] for label in labels}
    known = dict.fromkeys(name for label in labels for name, _, _ in factors[label])
    for name, value in couplings.items():
        validate.choice("coupling", name, known)
        validate.number(name, value)
    return {
        label: math.prod((couplings.get(name, 0.0) / unit) ** power for name, unit, power in factors[label])
        for label in labels
    }


def _units(couplings: Any) -> dict[str, float]:
    """Couplings with their units."""
    if isinstance(couplings, str) or not couplings:
        raise ValueError(f"couplings = {couplings!r}: must be names, or a mapping from names to units")
    if isinstance(couplings, Mapping):
        given = dict(couplings)
    else:
        given = dict.fromkeys(validate.names("couplings", couplings), 1.0)
    for name in given:
        if set(validate.text("coupling", name)) & set(_GRAMMAR):
            raise ValueError(f"coupling = {name!r}: must be without the characters {_GRAMMAR} of a product's name")
    return {name: validate.number(f"unit of {name}", unit, positive=True) for name, unit in given.items()}


def _check_names(channel: str, experiment: Experiment, products: Sequence[str]) -> None:
    """Refuse a background with the name of another sample of the channel."""
    samples = [(name, f"the sample of {name} in a workspace") for name in (*products, _STEADY_STATE)]
    backgrounds = [(b.name, f"background {b.name!r} of {channel}") for b in experiment.backgrounds]
    validate.unique([*samples, *backgrounds])


def _off_counts(channel: str) -> str:
    """The name of the modifier whose constraint is the off counts."""
    return f"{channel}: {_STEADY_STATE}"


def _label(exponents: Exponents, units: Mapping[str, float]) -> str:
    """A product of couplings by name; "" for the constant."""
    factors = []
    for (name, unit), power in zip(units.items(), exponents, strict=True):
        if power:
            factors.append((name if unit == 1 else f"({name}/{unit!r})") + (f"^{power}" if power > 1 else ""))
    return "*".join(factors)


def _factor(text: str) -> tuple[str, float, int]:
    """Name, unit and power of one factor of a label."""
    base, _, power = text.partition("^")
    name, _, unit = base.strip("()").partition("/")
    return name, float(unit or 1), int(power or 1)


class _Move(NamedTuple):
    """What a nuisance adds to a sample one standard deviation up and down."""

    up: Floats
    down: Floats


def _moved(pull: Pull, i: int, sample: int) -> _Move:
    """Of a background: along a line, and a bend."""
    bent = [c.bent for c in pull.curves if c.experiment == i and c.sample == sample and c.bent is not None]
    both = np.sum(bent, axis=0) if bent else np.zeros_like(pull.shift[i])
    return _Move(both + pull.shift[i], both - pull.shift[i])


def _check_kinds(pulls: Sequence[Pull], experiments: Sequence[Experiment]) -> None:
    """Refuse what a workspace cannot express."""
    for pull in pulls:
        if pull.own is None and pull.samples is None and any(shift.any() for shift in pull.shift):
            raise ValueError(f"nuisances: {pull.owner}: a HistFactory workspace has no errors that bins share freely")
        for i, e in enumerate(experiments):
            j = pull.sample(i)
            if not pull.is_free or not (pull.scale[i] or pull.shift[i].any()):
                continue
            beside = [
                other.owner
                for other in pulls
                if other is not pull
                and (other.sample(i) == j or (j == 0 and other.shapes[i] is not None))
                and (other.scale[i] or other.shift[i].any() or other.shapes[i] is not None)
            ]
            if beside:  # 1 + a + b is not (1 + a) (1 + b)
                raise ValueError(
                    f"nuisances: {pull.owner} is free, and {beside[0]} moves the same counts of {e.name} along a line: "
                    "a HistFactory workspace multiplies them, must be log-normal or known"
                )


def _sample(
    name: str,
    counts: Floats,
    pulls: Sequence[Pull],
    i: int,
    number: int,
    moved: Mapping[str, _Move],
    normfactor: str = "",
) -> dict[str, Any]:
    """Counts of an experiment's sample, what nuisances one standard deviation away add, and what multiplies them."""
    modifiers: list[dict[str, Any]] = []
    if normfactor:
        modifiers.append({"name": normfactor, "type": "normfactor", "data": None})
    for pull in pulls:
        move = moved.get(pull.name)
        if move is not None and (move.up.any() or move.down.any()):
            if pull.is_free:
                modifiers.append({"name": pull.name, "type": "normfactor", "data": None})
            else:
                data: dict[str, Any] = {
                    "hi_data": (counts + move.up).tolist(),
                    "lo_data": (counts + move.down).tolist(),
                }
                modifiers.append({"name": pull.name, "type": "histosys", "data": data})
        for c in pull.curves:
            if (c.experiment, c.sample) == (i, number) and c.bent is None:
                data = {"hi": math.exp(c.log_up), "lo": math.exp(c.log_down)}
                modifiers.append({"name": pull.name, "type": "normsys", "data": data})
    return {"name": name, "data": counts.tolist(), "modifiers": modifiers}
