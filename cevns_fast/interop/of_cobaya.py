"""Likelihoods of cobaya. Importing this module imports cobaya."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from cobaya.likelihood import Likelihood as CobayaLikelihood

import cevns_fast as cf
from cevns_fast.interop.identifiers import bounds_of, identifiers
from cevns_fast.likelihood.likelihood import Likelihood


class _WithFit(CobayaLikelihood):  # type: ignore[misc]  # untyped
    """What both kinds do with a fit."""

    speed: float = 1e5  # evaluations per second, about
    fit: Likelihood
    _names: tuple[str, ...]

    def use(self, fit: Likelihood) -> None:
        """Take the function and the names of its parameters."""
        self.fit, self._names = fit, tuple(identifiers(fit).values())

    def logp(self, **params_values: Any) -> float:
        """ln L; −inf out of bounds."""
        return float(self.fit.log_likelihood([params_values[name] for name in self._names]))


def bound(fit: Likelihood) -> type[CobayaLikelihood]:
    """A class of cobaya for one fit, with its parameters."""

    class OfFit(_WithFit):
        """ln L of a likelihood of cevns_fast."""

        params: ClassVar[dict[str, Any]] = bounds_of(fit)

        def initialize(self) -> None:
            self.use(fit)

    return OfFit


class CEvNS(_WithFit):
    """A likelihood that a file of cobaya describes: ``cevns_fast.interop.of_cobaya.CEvNS``.

    Attributes
    ----------
    experiments : sequence of str
        Names of built-in experiments, or TOML files.
    model : str
        A kind of interaction, such as ``SingletEFT``.
    fixed : mapping
        Other fields of the interaction.
    parameters : sequence of str
        What is free: couplings, nuisances, and at most one parameter that is neither. cobaya's names of them are
        those of `cevns_fast.cobaya_names`.
    bounds : mapping of str to (float, float)
    statistic : str, optional
    flux : mapping of str to float
        Normalisations that all experiments share, by name, with their relative uncertainties.
    """

    experiments: Sequence[str] = ("coherent-csi-2017",)
    model: str = "SingletEFT"
    fixed: Mapping[str, Any] = {}
    parameters: Sequence[str] = ("m_chi", "C_V")
    bounds: Mapping[str, Sequence[float]] = {}
    statistic: str | None = None
    flux: Mapping[str, float] = {}

    def initialize(self) -> None:
        """Make the fit."""
        names = [self.experiments] if isinstance(self.experiments, str) else list(self.experiments)
        fit = Likelihood(
            [cf.load(name) for name in names],
            model=getattr(cf, self.model),
            parameters=tuple(self.parameters),
            fixed=dict(self.fixed),
            bounds={name: (float(low), float(high)) for name, (low, high) in self.bounds.items()},
            statistic=self.statistic,  # type: ignore[arg-type]  # it says what is wrong
            nuisances=[cf.ScaleNuisance(name, size) for name, size in self.flux.items()],
        )
        self.use(fit)

    def get_requirements(self) -> dict[str, None]:
        """The parameters."""
        return dict.fromkeys(self._names)
