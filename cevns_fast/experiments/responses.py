"""What a detector makes of a recoil: quenching, acceptance, smearing.

A recoil T becomes an observable x (photoelectrons, or keV) with mean x̄(T) = light_yield · quenching(T) · T / keV,
is smeared around it or not, and is kept with probability acceptance(x).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.experiments.functions import Function, evaluate, is_function
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing, PoissonSmearing, Smearing


@dataclass(frozen=True)
class Response:
    """From a recoil energy to the observable and its acceptance.

    Attributes
    ----------
    light_yield : float
        Observable per keV of quenched recoil energy (1.17 photoelectrons per keV of recoil for CsI, say).
    quenching : float, LindhardQuenching, PolynomialQuenching, LinearQuenching, Table or callable
        Dimensionless; a callable takes recoil energies T (MeV, array). A `Table` or any object with
        `breakpoints` (MeV) tells where it is not smooth.
    acceptance : float, LogisticAcceptance, Table or callable
        Probability in [0, 1]; a callable takes observables (array).
    smearing : PoissonSmearing, GaussianSmearing, GammaSmearing or None
    observable : str
        What x is, for axis labels.
    recoil_threshold : float
        Recoils below, MeV, are never seen.

    Raises
    ------
    ValueError
        If a number is out of range, or something is neither a number nor a function.

    Notes
    -----
    Callables are compiled once. What they read, globals and attributes included, must not change while an experiment
    with them is in use: if it does, the experiment is refused, and a new one has to be made. They are tested up to the
    largest recoil that the experiment's source can make.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> response = cf.Response(
    ...     light_yield=13.35,
    ...     quenching=cf.Table((0.0, 0.005, 0.05), (0.06, 0.08, 0.10)),
    ...     acceptance=cf.LogisticAcceptance(0.67, 0.5, 10.9, threshold=5.0),
    ...     smearing=cf.PoissonSmearing(),
    ...     observable="photoelectrons",
    ... )
    >>> response.mean([0.010]).round(2).tolist()  # photoelectrons at 10 keV
    [10.98]
    """

    light_yield: float = 1.0
    quenching: float | Function = 1.0
    acceptance: float | Function = 1.0
    smearing: Smearing | None = None
    observable: str = "recoil energy [keV]"
    recoil_threshold: float = 0.0

    def __post_init__(self) -> None:
        validate.number("light_yield", self.light_yield, positive=True)
        validate.number("recoil_threshold", self.recoil_threshold, minimum=0.0)
        validate.text("observable", self.observable, empty=True)
        if self.smearing is not None:
            example = "None, or a PoissonSmearing, GaussianSmearing or GammaSmearing"
            validate.instance("smearing", self.smearing, (PoissonSmearing, GaussianSmearing, GammaSmearing), example)
        if not is_function("quenching", self.quenching):
            validate.number("quenching", self.quenching, positive=True)
        if not is_function("acceptance", self.acceptance):
            value = validate.number("acceptance", self.acceptance, minimum=0.0)
            if value > 1:
                raise ValueError(f"acceptance = {value!r}: must be at most 1")

    def mean(self, T: ArrayLike) -> Floats:
        """Mean observable x̄ at recoil energies T (MeV)."""
        T = validate.real("T", T)
        quenching = evaluate("quenching", self.quenching, T)
        if np.any(quenching < 0):
            at = T.ravel()[int(np.argmin(quenching))]
            raise ValueError(f"quenching: returns {quenching.min():g} at {at:.4g} MeV, must be >= 0")
        return np.asarray(self.light_yield * quenching * T / KEV)

    def accept(self, x: ArrayLike) -> Floats:
        """Acceptance at observables x."""
        values = evaluate("acceptance", self.acceptance, validate.real("x", x))
        if values.size and (values.min() < 0 or values.max() > 1):
            worst = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"acceptance: returns {worst:g}, must be from 0 to 1")
        return values
