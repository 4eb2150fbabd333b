"""Nuisances that several experiments share, beside those that each experiment states for itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.experiments.experiment import Experiment

SIGNAL = "signal"
# Asymmetries and eigenvalues of a matrix below this are what rounding leaves of zero.
_ROUNDING = 1e-10

Constraint = Literal["gaussian", "log-normal", "free"]


@dataclass(frozen=True)
class ScaleNuisance:
    """A common normalisation of signals or of a background: counts are multiplied by 1 + uncertainty × a.

    Attributes
    ----------
    name : str
    uncertainty : float, or mapping of str to float
        Relative standard deviation, > 0; by experiment, if it differs. An experiment's own `signal_uncertainty`
        should not contain it again. Infinite for a normalisation that nothing constrains: counts are multiplied by
        1 + a.
    experiments : tuple of str or None
        Names of those that share it; None for all, or those of a mapping. The name of several copies of an experiment
        stands for all of them, and with their number, ``"coherent-csi-2017 #2"``, for one.
    constraint : {"gaussian", "log-normal", "free"}
        What is known of a: that it is a unit Gaussian; that it is one, but that counts are multiplied by
        exp(uncertainty × a), which cannot be negative; or nothing, for an infinite uncertainty.
    on : str
        ``"signal"``, or the name of a background, which is multiplied in every experiment that has it. Its own
        uncertainty should then be zero.

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    An exponential multiplies its sample with all that other nuisances add to it. It is HistFactory's interpolation
    code 1 (Cranmer et al. 2012, CERN-OPEN-2012-016).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> flux = cf.ScaleNuisance("SNS flux", 0.10)
    >>> csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.26)
    >>> lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=0.14)
    >>> cf.Likelihood([csi, lar], nuisances=[flux]).nuisance_names[-1]
    'SNS flux'

    A signal that cannot be negative, and a background of which only the shape is known:

    >>> alpha = cf.ScaleNuisance("signal scale", 0.28, constraint="log-normal")
    >>> neutrons = cf.ScaleNuisance("neutrons", float("inf"), on="prompt neutrons")
    >>> background = cf.Background("prompt neutrons", csi.backgrounds[0].counts, uncertainty=0.0)
    >>> alone = csi.replace(signal_uncertainty=0.0, backgrounds=(background,))
    >>> like = cf.Likelihood(alone, nuisances=[alpha, neutrons])
    >>> round(like.chi2(cf.StandardModel()), 2)
    2.59
    """

    name: str
    uncertainty: float | Mapping[str, float] | tuple[tuple[str, float], ...]
    experiments: tuple[str, ...] | None = None
    constraint: Constraint = "gaussian"
    on: str = SIGNAL

    def __post_init__(self) -> None:
        validate.text("name of a ScaleNuisance", self.name)
        if self.experiments is not None:
            object.__setattr__(self, "experiments", validate.names("experiments", self.experiments))
        validate.choice("constraint", self.constraint, ("gaussian", "log-normal", "free"))
        validate.text("on", self.on)
        if isinstance(self.uncertainty, Mapping | tuple):
            self._take_sizes(dict(self.uncertainty))
        elif validate.uncertainty(f"uncertainty of {self.name!r}", self.uncertainty, positive=True) == math.inf:
            if self.constraint == "log-normal":
                raise ValueError(f"uncertainty of {self.name!r} = inf: must be finite for constraint = 'log-normal'")
            object.__setattr__(self, "constraint", "free")
        if self.constraint == "free" and self.uncertainty != math.inf:
            raise ValueError(
                f"uncertainty of {self.name!r} = {self.uncertainty!r}: must be inf for constraint = 'free'"
            )

    def _take_sizes(self, sizes: dict[str, float]) -> None:
        """Sizes by experiment, kept as a tuple that can be hashed."""
        for name, size in sizes.items():
            validate.number(f"uncertainty of {self.name!r} in {name!r}", size, positive=True)
        if not sizes or self.experiments not in (None, tuple(sizes)):
            raise ValueError(f"uncertainty of {self.name!r} = {sizes!r}: must be by experiment, for those it names")
        object.__setattr__(self, "uncertainty", tuple(sizes.items()))
        object.__setattr__(self, "experiments", tuple(sizes))

    @property
    def sizes(self) -> dict[str | None, float]:
        """Uncertainties by experiment; None stands for all of them."""
        if isinstance(self.uncertainty, tuple):
            return dict(self.uncertainty)
        assert not isinstance(self.uncertainty, Mapping)
        return {None: self.uncertainty}


@dataclass(frozen=True)
class AsymmetricNuisance:
    """A common normalisation whose two standard deviations differ.

    Counts are multiplied by f(a), with f(1) = 1 + up and f(−1) = 1 + down, for a of unit variance. Beyond ±1 they are
    powers, (1 + up)^a and (1 + down)^(−a); between, a polynomial of degree 6 joins them with two derivatives.

    Attributes
    ----------
    name : str
    up, down : float
        Relative changes one standard deviation up and down, > −1: 0.3 and −0.2, say.
    experiments : tuple of str or None
        As for `ScaleNuisance`.
    on : str
        ``"signal"`` or the name of a background.

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    HistFactory's interpolation code 4, pyhf's ``normsys`` (Cranmer et al. 2012, CERN-OPEN-2012-016).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.0)
    >>> like = cf.Likelihood(csi, nuisances=[cf.AsymmetricNuisance("quenching", up=0.30, down=-0.22)])
    >>> round(like.chi2(cf.StandardModel()), 2)
    2.92
    """

    name: str
    up: float
    down: float
    experiments: tuple[str, ...] | None = None
    on: str = SIGNAL

    def __post_init__(self) -> None:
        validate.text("name of an AsymmetricNuisance", self.name)
        validate.text("on", self.on)
        for side, size in (("up", self.up), ("down", self.down)):
            if not validate.number(f"{side} of {self.name!r}", size) > -1:
                raise ValueError(f"{side} of {self.name!r} = {size!r}: must be > -1")
        if self.experiments is not None:
            object.__setattr__(self, "experiments", validate.names("experiments", self.experiments))


@dataclass(frozen=True, eq=False)
class BackgroundShape:
    """What changes the shape of a background.

    Counts B of the background become B + a (up − down)/2 + g(a) ((up + down)/2 − B) for a of unit variance, with
    g = ``|a|`` beyond ±1 and a polynomial of degree 6 between, which joins with two derivatives.

    Attributes
    ----------
    name, background : str
    up : float64[n_bins], or mapping of str to that
        Counts one standard deviation up; by experiment, if several have that background.
    down : the same, or None
        None for up mirrored in the nominal counts. The nominal counts themselves make a one-sided variation.

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    HistFactory's interpolation code 4p, pyhf's ``histosys``.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> neutrons = csi.backgrounds[0]
    >>> tilt = cf.BackgroundShape("spectrum", neutrons.name, up=neutrons.counts * ([1.1] * 6 + [0.9] * 6))
    >>> cf.Likelihood(csi, nuisances=[tilt]).nuisance_names
    ('beta: prompt neutrons', 'alpha', 'spectrum')
    """

    name: str
    background: str
    up: Any
    down: Any = None

    def __post_init__(self) -> None:
        validate.text("name of a BackgroundShape", self.name)
        if validate.text("background", self.background) == SIGNAL:
            raise ValueError(f"background = {self.background!r}: must be that of an experiment; see ShapeNuisance")
        object.__setattr__(self, "up", self._by_experiment("up", self.up))
        if self.down is not None:
            object.__setattr__(self, "down", self._by_experiment("down", self.down))
            if set(self.down) != set(self.up):
                raise ValueError(f"down of {self.name!r}: must be for the experiments of up")

    def _by_experiment(self, side: str, given: Any) -> dict[str | None, Floats]:
        """Templates; None stands for the only experiment with that background."""
        by_name = dict(given) if isinstance(given, Mapping) else {None: given}
        if not by_name:
            raise ValueError(f"{side} of {self.name!r} = {given!r}: must name an experiment")
        return {name: validate.vector(f"{side} of {self.name!r}", counts) for name, counts in by_name.items()}


@dataclass(frozen=True, eq=False)
class CovarianceMatrix:
    """Correlated errors of the bins of one or several experiments.

    Attributes
    ----------
    name : str
    matrix : float64[n, n]
        In counts², or relative to the signal, over all bins of the experiments in their order; symmetric, without
        negative eigenvalues.
    experiments : tuple of str or None
        Whose bins; None for all.
    of : {"prediction", "data", "signal"}
        Whether it adds to what is uncertain otherwise, in Gaussian and in Poisson counts; or is all that is uncertain
        of the data, in place of the variance of Gaussian counts, and has no direction without error; or adds
        fractions of the signal's counts, whatever these are, each of less than one.

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    Each principal axis is a nuisance that shifts the bins; minimised over these, χ² is that of the covariance.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> bins = np.arange(csi.n_bins)
    >>> smooth = cf.CovarianceMatrix("smooth", 4.0 * np.exp(-abs(bins[:, None] - bins) / 3.0))
    >>> like = cf.Likelihood(csi, nuisances=[smooth])
    >>> round(like.chi2(cf.StandardModel()), 2)
    2.7
    """

    name: str
    matrix: Floats
    experiments: tuple[str, ...] | None = None
    of: Literal["prediction", "data", "signal"] = "prediction"

    def __post_init__(self) -> None:
        validate.text("name of a CovarianceMatrix", self.name)
        validate.choice("of", self.of, ("prediction", "data", "signal"))
        if self.experiments is not None:
            object.__setattr__(self, "experiments", validate.names("experiments", self.experiments))
        matrix = validate.array(f"matrix of {self.name!r}", self.matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
            raise ValueError(f"matrix of {self.name!r}: has shape {matrix.shape}, must be square")
        scale = float(np.abs(matrix).max())
        if np.abs(matrix - matrix.T).max() > _ROUNDING * scale:
            raise ValueError(f"matrix of {self.name!r}: must be symmetric")
        matrix = 0.5 * (matrix + matrix.T)
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        if smallest < -_ROUNDING * scale or (self.of == "data" and smallest <= _ROUNDING * scale):
            allowed = "> 0" if self.of == "data" else ">= 0"
            raise ValueError(f"matrix of {self.name!r}: has the eigenvalue {smallest:g}, must be {allowed}")
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_file(
        cls,
        name: str,
        path: str | Path,
        *,
        experiments: tuple[str, ...] | None = None,
        of: Literal["prediction", "data", "signal"] = "prediction",
    ) -> "CovarianceMatrix":
        """A matrix from a file: numpy's ``.npy``, or text of rows separated by commas or white space; # is a comment.

        Raises
        ------
        ValueError
            If the file does not hold a matrix of numbers.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> import cevns_fast as cf
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "covariance.npy")
        ...     np.save(path, [[4.0, 1.0], [1.0, 9.0]])  # counts squared
        ...     matrix = cf.CovarianceMatrix.from_file("release", path)
        >>> matrix.name
        'release'
        """
        where = validate.path("path", path)
        if where.suffix == ".npy":
            return cls(name, np.load(where, allow_pickle=False), experiments, of)
        lines = [line.partition("#")[0].replace(",", " ").split() for line in where.read_text("utf-8").splitlines()]
        try:
            matrix = np.array([[float(each) for each in line] for line in lines if line])
        except ValueError as error:
            raise ValueError(f"{where}: must hold a matrix of numbers: {error}") from None
        return cls(name, matrix, experiments, of)


@dataclass(frozen=True)
class ShapeNuisance:
    """Anything that changes a detector or a source: quenching, a form factor, a threshold, a spectrum.

    Counts move along a straight line, N + a (N_up − N_down)/2, with a of unit variance.

    Attributes
    ----------
    name : str
    up, down : tuple of Experiment
        Experiments as they would be one standard deviation away. They replace those of the same name, whose
        data, bins and uncertainties remain. Copies of an experiment that differ in more than those need names of
        their own.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> thick, thin = (csi.replace(form_factor=cf.HelmFormFactor(skin=s)) for s in (1.0, 0.8))
    >>> like = cf.Likelihood(csi, nuisances=[cf.ShapeNuisance("nuclear skin", up=(thick,), down=(thin,))])
    >>> like.nuisance_names
    ('beta: prompt neutrons', 'alpha', 'nuclear skin')
    """

    name: str
    up: tuple[Experiment, ...]
    down: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        validate.text("name of a ShapeNuisance", self.name)
        for side, given in (("up", self.up), ("down", self.down)):
            every = (given,) if isinstance(given, Experiment) else given
            listed = validate.sequence(f"{side} of {self.name!r}", every, Experiment, "experiments")
            if not listed:
                raise ValueError(f"{side} of {self.name!r} = {given!r}: must be experiments")
            validate.unique((e.name, f"entry {i} of {side} of {self.name!r}") for i, e in enumerate(listed))
            object.__setattr__(self, side, tuple(listed))
        if sorted(e.name for e in self.up) != sorted(e.name for e in self.down):
            raise ValueError(f"{self.name!r}: up and down must hold experiments of the same names")

    def pair(self, name: str) -> tuple[Experiment, Experiment] | None:
        """Up and down of the experiment of a name, if it is affected."""
        up = [e for e in self.up if e.name == name]
        return (up[0], next(e for e in self.down if e.name == name)) if up else None


Nuisance = ScaleNuisance | ShapeNuisance | AsymmetricNuisance | BackgroundShape | CovarianceMatrix
KINDS: tuple[type, ...] = (ScaleNuisance, ShapeNuisance, AsymmetricNuisance, BackgroundShape, CovarianceMatrix)
