"""Nuisances that several experiments share, beside those that each experiment states for itself."""

from dataclasses import dataclass

from cevns_fast import _validate as validate
from cevns_fast.experiments.experiment import Experiment


@dataclass(frozen=True)
class ScaleNuisance:
    """A common normalisation: signal counts are multiplied by 1 + uncertainty × a, with a of unit variance.

    Attributes
    ----------
    name : str
    uncertainty : float
        Relative standard deviation, > 0. An experiment's own `signal_uncertainty` should not contain it again.
    experiments : tuple of str or None
        Names of those that share it; None for all. The name of several copies of an experiment stands for all of
        them, and with their number, ``"coherent-csi-2017 #2"``, for one.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> flux = cf.ScaleNuisance("SNS flux", 0.10)
    >>> csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.26)
    >>> lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=0.14)
    >>> cf.Likelihood([csi, lar], nuisances=[flux]).nuisance_names[-1]
    'SNS flux'
    """

    name: str
    uncertainty: float
    experiments: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        validate.text("name of a ScaleNuisance", self.name)
        validate.number(f"uncertainty of {self.name!r}", self.uncertainty, positive=True)
        if self.experiments is not None:
            object.__setattr__(self, "experiments", validate.names("experiments", self.experiments))


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


Nuisance = ScaleNuisance | ShapeNuisance
