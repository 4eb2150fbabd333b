"""Experiments: a source, a detector, what was counted, and how well it is known.

A built-in experiment is a TOML file beside its tables in `data/experiments`; a user's own is the same file.
"""

import math
import warnings
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support import drawn
from cevns_fast._validate import Floats
from cevns_fast.experiments import display
from cevns_fast.experiments.axes import ReleaseAxis, Spread, TimeAxis, shape_of, spread_of
from cevns_fast.experiments.backgrounds import Background, BackgroundRate, StandardModelFraction, SteadyState
from cevns_fast.experiments.bins import bins_of
from cevns_fast.experiments.checks import check_axes, check_data
from cevns_fast.experiments.detectors import Detector, differences_of, reads_functions
from cevns_fast.experiments.reach import OutOfReachWarning, largest_recoil_of, out_of_reach
from cevns_fast.experiments.shared import SharedNuisance, kept_bins
from cevns_fast.experiments.sources import Source
from cevns_fast.experiments.watched import WatchedSource, bare, watched
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.parallel.once import once

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Experiment:
    """An experiment. Immutable: `replace` gives a copy with other numbers.

    Attributes
    ----------
    name, description, citation : str
    source : PionDecayAtRest or any Source
    detector : Detector
    exposure : float
        In the source's unit: protons on target, or days.
    observed : ndarray or None
        Counts per bin less the steady-state background. None: simulated from `simulated_truth`.
    steady_state : ndarray, BackgroundRate or StandardModelFraction
        Steady-state background per bin; it only widens the variance.
    steady_state_weight : float
        Its weight there: 2 if it is subtracted with its own measurement, 1 if it is known.
    backgrounds : tuple of Background
        Beam-related backgrounds, each with its own nuisance β.
    signal_uncertainty : float
        σ_α, relative uncertainty of the normalisation of what α scales.
    signal_uncertainty_on : {"prediction", "standard_model"}
        α scales the whole prediction, or its Standard Model part alone.
    variance : {"observed", "prediction"}
        Whose counts enter the statistical variance.
    shape_uncertainty : float
        Relative, uncorrelated between bins, of signal plus steady state (BRX Eq. 30).
    simulated_truth : StandardModel
        The truth behind simulated data.
    excluded : tuple of int
        The bins that are left out, counted from 0; see `mask`. Arrays of counts may be given for all bins
        or for those that are left.
    time : TimeAxis or None
        Bins of time beside those of the observable, for each of them.
    release : ReleaseAxis or None
        A further axis, for each bin of the observable and of time.
    calibration : ndarray or None
        What the counts of each bin are multiplied by; of observable × time, or of these × the release axis.
    sigma : ndarray or None
        Standard deviations of `observed` where the data state them: a measured excess. They are the whole variance.
    statistic : {"gaussian", "poisson"}
        What a `Likelihood` makes of the data unless it is told otherwise.
    nuisances : tuple of SharedScale, SignalVariation or BackgroundVariation
        Nuisances with names; those of several experiments that have the same name are one.
    data_set, contains : str, tuple of str
        Which data these are, and which others are among them: experiments that share data are refused together.
    approximate : str
        Why a result is approximate: a digitised figure, say. Results repeat it.
    published : str
        What the collaboration found, in words.

    Raises
    ------
    ValueError
        If an argument is refused: the message names it, its value and what is allowed.

    Warns
    -----
    OutOfReachWarning
        If the source's recoils cannot reach any bin, a threshold, or the points of a quenching table.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> future = cf.Experiment(
    ...     name="Ge 50 kg",
    ...     source=cf.PionDecayAtRest(distance=20.0),
    ...     detector=cf.Detector(cf.Target.of("Ge", {"Ge": 1}), mass=50.0, bins=(2.0, 5.0, 10.0, 20.0)),
    ...     exposure=1e23,
    ...     observed=None,
    ...     steady_state=[10.0, 10.0, 10.0],
    ...     signal_uncertainty=0.1,
    ... )
    >>> cf.event_rate(future, cf.StandardModel()).round(1).tolist()
    [198.0, 253.5, 297.8]
    >>> future.shape, future.n_bins, future.kept
    ((3,), 3, (0, 1, 2))
    >>> [edges.tolist() for edges in future.bin_edges]
    [[2.0, 5.0, 10.0], [5.0, 10.0, 20.0]]
    >>> float(round(1e3 * future.largest_recoil, 1))  # keV
    85.6
    >>> future.steady_state_counts(cf.event_rate(future, cf.StandardModel())).tolist()
    [10.0, 10.0, 10.0]
    >>> future.check_unchanged()
    """

    name: str
    source: Source
    detector: Detector
    exposure: float
    observed: Floats | None
    steady_state: SteadyState
    steady_state_weight: float = 2.0
    backgrounds: tuple[Background, ...] = ()
    signal_uncertainty: float = 0.0
    signal_uncertainty_on: Literal["prediction", "standard_model"] = "prediction"
    variance: Literal["observed", "prediction"] = "observed"
    shape_uncertainty: float = 0.0
    simulated_truth: StandardModel = field(default_factory=StandardModel)
    description: str = ""
    citation: str = ""
    excluded: tuple[int, ...] = ()
    time: TimeAxis | None = None
    release: ReleaseAxis | None = None
    calibration: Any = None
    sigma: Floats | None = None
    statistic: Literal["gaussian", "poisson"] = "gaussian"
    nuisances: tuple[SharedNuisance, ...] = ()
    data_set: str = ""
    contains: tuple[str, ...] = ()
    approximate: str = ""
    published: str = ""

    def __post_init__(self) -> None:
        validate.text("name", self.name, empty=not self.name)
        validate.text("description", self.description, empty=True)
        validate.text("citation", self.citation, empty=True)
        validate.instance("detector", self.detector, Detector, "a Detector, e.g. cevns_fast.Detector(...)")
        validate.instance("simulated_truth", self.simulated_truth, StandardModel, "a StandardModel")
        object.__setattr__(self, "source", watched(self.source))
        validate.number("exposure", self.exposure, positive=True)
        validate.number("steady_state_weight", self.steady_state_weight, minimum=0.0)
        validate.number("signal_uncertainty", self.signal_uncertainty, minimum=0.0)
        validate.number("shape_uncertainty", self.shape_uncertainty, minimum=0.0)
        validate.choice("signal_uncertainty_on", self.signal_uncertainty_on, ("prediction", "standard_model"))
        validate.choice("variance", self.variance, ("observed", "prediction"))
        validate.choice("statistic", self.statistic, ("gaussian", "poisson"))
        for name in ("data_set", "approximate", "published"):
            validate.text(name, getattr(self, name), empty=True)
        object.__setattr__(self, "contains", tuple(validate.names("contains", self.contains)) if self.contains else ())
        check_axes(self)
        excluded = bins_of("excluded", self.excluded, math.prod(self.shape))
        object.__setattr__(self, "excluded", excluded)
        if len(excluded) == math.prod(self.shape):
            raise ValueError(f"excluded = {excluded}: at least one bin must be left")
        check_data(self)
        largest = self.largest_recoil
        self.detector.check_quenching(largest)
        for message in out_of_reach(self.detector, largest):
            warnings.warn(f"{self.name}: {message}", OutOfReachWarning, stacklevel=3)

    def counts_of_kept(self, name: str, counts: Any, minimum: float = -math.inf) -> Floats:
        """Counts of the bins that are not left out."""
        found = validate.vector(name, counts, minimum=minimum)
        if found.size == math.prod(self.shape) and self.excluded:
            return validate.vector(name, found[list(self.kept)])
        if found.size != self.n_bins:
            raise ValueError(f"{name}: has {found.size} entries, must have {self.n_bins}")
        return found

    def __repr__(self) -> str:
        """What it is, in one line; its fields have the rest."""
        return display.line(self)

    def _repr_html_(self) -> str:
        """A table of what it is, and its data."""
        return display.table(self)

    def projection(self, counts: ArrayLike) -> Floats:
        """Counts of all bins of the observable: summed over all other axes, NaN where one is left out.

        Parameters
        ----------
        counts : float64[n_bins]

        Returns
        -------
        float64[detector.n_bins]

        Raises
        ------
        ValueError
            If the number of bins is wrong.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017").mask([1])
        >>> csi.projection(csi.observed)[:3].tolist()
        [9.0, nan, 24.0]
        """
        found = validate.vector("counts", counts, length=self.n_bins)
        by_bin = self.reshape(found).reshape(self.detector.n_bins, -1)
        return np.where(np.isnan(by_bin).all(axis=1), np.nan, np.nansum(by_bin, axis=1))

    def plot(self, ax: "Axes | None" = None, *, interaction: Any = None, **style: Any) -> "Axes":
        """Draw the data, the Standard Model, new physics and the backgrounds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a new figure. Nothing else of the figure is touched, and its style is the user's.
        interaction : Interaction, optional
            New physics, drawn with the Standard Model.
        **style
            As `cevns_fast.output.of_objects.experiment` takes: ``residuals=True``, ``backgrounds=False``, and
            what matplotlib's ``errorbar`` takes for the data.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If matplotlib is missing (extra ``plot``).

        Examples
        --------
        >>> import cevns_fast as cf
        >>> axes = cf.load("coherent-csi-2017").plot(interaction=cf.SingletEFT(m_chi=10.0, C_V=0.1))
        >>> axes.get_ylabel()
        'counts per bin'
        """
        found: Axes = drawn.figures().experiment(self, ax, interaction=interaction, **style)
        return found

    @once
    def n_bins(self) -> int:
        """Number of bins that are not left out, along all axes."""
        return math.prod(self.shape) - len(self.excluded)

    @once
    def kept(self) -> tuple[int, ...]:
        """The bins that are not left out, counted from 0."""
        excluded = set(self.excluded)
        return tuple(i for i in range(math.prod(self.shape)) if i not in excluded)

    @once
    def shape(self) -> tuple[int, ...]:
        """Numbers of bins: of the observable, of time and of the release axis, as far as there are any.

        Bins that are left out are among them.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> cf.load("coherent-csi-2017").shape, cf.load("coherent-csi-2021").shape
        ((12,), (8, 11))
        """
        return shape_of(self.detector.n_bins, self.time, self.release)

    def reshape(self, counts: ArrayLike) -> Floats:
        """Counts per bin as an array of the experiment's `shape`; NaN for bins that are left out.

        Parameters
        ----------
        counts : float64[..., n_bins]

        Returns
        -------
        float64[..., *shape]

        Raises
        ------
        ValueError
            If the number of bins is wrong.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2021")
        >>> csi.reshape(csi.observed).sum(axis=1).astype(int).tolist()  # in 8 bins of photoelectrons
        [147, 224, 177, 144, 237, 210, 231, 197]
        """
        given = validate.array("counts", counts)
        if given.ndim == 0 or given.shape[-1] != self.n_bins:
            raise ValueError(f"counts: has shape {given.shape}, must have {self.n_bins} bins along the last axis")
        found = np.full((*given.shape[:-1], math.prod(self.shape)), np.nan)
        found[..., list(self.kept)] = given
        return found.reshape(*given.shape[:-1], *self.shape)

    @property
    def has_axes(self) -> bool:
        """Whether there is more than bins of the observable and the counts that the detector sees there."""
        return self.time is not None or self.release is not None or self.calibration is not None

    @property
    def spread(self) -> Spread:
        """How counts of the observable's bins are spread along the other axes."""
        calibration = None if self.calibration is None else self.calibration.tobytes()
        return spread_of(self.source, self.detector.n_bins, self.time, self.release, calibration)

    @property
    def bin_edges(self) -> tuple[Floats, Floats]:
        """Lower and upper edges, in the observable, of the bins that are not left out."""
        edges, kept = np.array(self.detector.bins), list(self.kept)
        others = math.prod(self.shape) // self.detector.n_bins
        return np.repeat(edges[:-1], others)[kept], np.repeat(edges[1:], others)[kept]

    @property
    def fluence(self) -> float:
        """Neutrinos per cm² at the detector, per unit of the flux components."""
        return self.source.fluence_per_exposure * self.exposure

    @property
    def largest_recoil(self) -> float:
        """The largest recoil, MeV, that the source's neutrinos can cause: BRX Eq. (10), on the lightest nucleus."""
        return largest_recoil_of(self.source, self.detector.target)

    def steady_state_counts(self, standard_model: Floats) -> Floats:
        """Steady-state background per bin.

        Parameters
        ----------
        standard_model : float64[n_bins]
            The Standard Model's counts; of all the detector's bins, if some are left out and the background is a
            `StandardModelFraction`.

        Returns
        -------
        float64[n_bins]

        Raises
        ------
        ValueError
            If the number of counts is wrong.
        """
        state, edges, kept = self.steady_state, np.array(self.detector.bins), list(self.kept)
        if isinstance(state, BackgroundRate):
            widths = np.diff(edges)[kept] / self.detector.response.light_yield  # keV of recoil, or of quenched energy
            per_day = max(rate for rate in (state.per_day_keV_kg, state.per_day_keVee_kg) if rate is not None)
            days = self.exposure if state.exposure_per_day is None else self.exposure / state.exposure_per_day
            return np.asarray(widths * per_day * days * self.detector.mass)
        if isinstance(state, StandardModelFraction):
            total = validate.vector("standard_model", standard_model, length=self.detector.n_bins).sum()
            return np.asarray(state.fraction * total * np.diff(edges)[kept] / (edges[-1] - edges[0]))
        return state

    @property
    def whole(self) -> "Experiment":
        """The same source and detector with all bins, and without data and backgrounds."""
        return without_data(self.source, self.detector, self.exposure, self.time, self.release, self.calibration)

    def mask(self, bins: ArrayLike) -> "Experiment":
        """A copy that leaves bins out, of counts, data and backgrounds.

        Parameters
        ----------
        bins : sequence of int, or of bool
            The bins to leave out: their numbers, from 0, or True for each that goes (as in a numpy mask).

        Returns
        -------
        Experiment
            With fewer `n_bins`; the detector keeps its edges, and `kept` tells which bins are left.

        Raises
        ------
        ValueError
            If a bin does not exist or is named twice, or none would be left.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017")
        >>> high = csi.mask([0, 1, 2])
        >>> high.n_bins, float(high.observed[0]) == float(csi.observed[3])
        (9, True)
        >>> high.mask(high.observed < 10).n_bins
        4
        """
        kept = self.kept
        dropped = bins_of("bins", bins, self.n_bins)
        left = [i for i in range(self.n_bins) if i not in dropped]
        if not left:
            raise ValueError(f"bins = {dropped}: at least one bin must be left")
        changes: dict[str, Any] = {"excluded": (*self.excluded, *(kept[i] for i in dropped))}
        if self.observed is not None:
            changes["observed"] = self.observed[left]
        if self.sigma is not None:
            changes["sigma"] = self.sigma[left]
        changes["nuisances"] = tuple(kept_bins(each, lambda _, counts: counts[left]) for each in self.nuisances)
        if isinstance(self.steady_state, np.ndarray):
            changes["steady_state"] = self.steady_state[left]
        changes["backgrounds"] = tuple(replace(each, counts=each.counts[left]) for each in self.backgrounds)
        return replace(self, **changes)

    def activate(self, *names: str) -> "Experiment":
        """A copy whose likelihoods have these nuisances too, of those that the experiment states.

        Raises
        ------
        ValueError
            If the experiment does not state one.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2021").activate("CsI onset of the pulse")
        >>> cf.Likelihood(csi).nuisance_names[-1]
        'CsI onset of the pulse'
        """
        return self._switched(names, True)

    def deactivate(self, *names: str) -> "Experiment":
        """A copy whose likelihoods do not have these nuisances.

        Raises
        ------
        ValueError
            If the experiment does not state one.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2021").activate("CsI efficiency")
        >>> "CsI efficiency" in cf.Likelihood(csi).nuisance_names
        True
        >>> "CsI efficiency" in cf.Likelihood(csi.deactivate("CsI efficiency")).nuisance_names
        False
        """
        return self._switched(names, False)

    def _switched(self, names: tuple[str, ...], active: bool) -> "Experiment":
        """With some nuisances on or off."""
        known = [each.name for each in self.nuisances]
        for name in names:
            validate.choice("nuisance", name, known)
        changed = tuple(replace(each, active=active) if each.name in names else each for each in self.nuisances)
        return replace(self, nuisances=changed)

    @once
    def can_change(self) -> bool:
        """Whether source or detector hold functions of the user's own."""
        return isinstance(self.source, WatchedSource) or reads_functions(self.detector)

    def check_unchanged(self) -> None:
        """`ValueError` if a function of the user's own reads what has changed since the experiment was made.

        Functions are compiled once: what was computed with them would be wrong without a word.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> factor = 0.1
        >>> response = cf.Response(13.348, quenching=lambda T: factor + 0 * T)
        >>> csi = cf.load("coherent-csi-2017").replace(response=response)
        >>> factor = 0.2
        >>> csi.check_unchanged()
        Traceback (most recent call last):
        ...
        ValueError: quenching: ... has changed since coherent-csi-2017 was made; ...
        """
        if not self.can_change:
            return
        found = differences_of(self.detector)
        if isinstance(self.source, WatchedSource):
            found.append(("source", self.source.difference()))
        for name, path in found:
            if path is not None:
                raise ValueError(
                    f"{name}: {path} has changed since {self.name or 'the experiment'} was made; "
                    "functions are compiled once and must not change: make a new experiment"
                )

    def replace(self, **changes: Any) -> "Experiment":
        """A copy with other numbers.

        Parameters
        ----------
        **changes
            Any attribute of the experiment, of its detector (`mass`, `bins`, `response`, `target`, `form_factor`)
            or of its source (`distance`, `total_flux`, …).

        Raises
        ------
        ValueError
            If a name is unknown, or a value is refused by the experiment, detector or source.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> cf.load("coherent-csi-2017").replace(signal_uncertainty=0.0).signal_uncertainty
        0.0
        >>> conus = cf.load("conus-100kg").replace(thermal_power=None, distance=None, total_flux=2.5e13)
        >>> conus.source.flux
        25000000000000.0
        """
        own = [f.name for f in fields(self)]
        parts: dict[str, Any] = {"detector": self.detector, "source": bare(self.source)}
        # A source need not be a dataclass; it is then replaced as a whole.
        names = {part: [f.name for f in fields(each) if f.init] for part, each in parts.items() if is_dataclass(each)}
        validate.unknown_fields("experiment", changes, [*own, *(n for listed in names.values() for n in listed)])
        outside = {name: value for name, value in changes.items() if name in own}
        for part, listed in names.items():
            inside = {name: value for name, value in changes.items() if name in listed and name not in own}
            if inside:
                outside[part] = replace(outside.get(part, parts[part]), **inside)
        return replace(self, **outside)


def without_data(
    source: Source,
    detector: Detector,
    exposure: float,
    time: TimeAxis | None = None,
    release: ReleaseAxis | None = None,
    calibration: Floats | None = None,
    excluded: tuple[int, ...] = (),
) -> Experiment:
    """An experiment for rates alone, of parts of another that have been checked: nothing is checked again."""
    parts = {"source": source, "detector": detector, "exposure": exposure, "observed": None, "name": ""}
    parts |= {"time": time, "release": release, "calibration": calibration, "excluded": excluded}
    found = object.__new__(Experiment)
    for each in fields(Experiment):
        value = parts.get(each.name, each.default)
        if each.name == "simulated_truth":
            value = StandardModel()
        elif each.name == "steady_state":
            value = np.zeros(math.prod(shape_of(detector.n_bins, time, release)))
        object.__setattr__(found, each.name, value)
    return found
