"""Counts as a polynomial in couplings whose coefficients are piecewise polynomials in one more parameter.

Couplings enter counts as polynomials, and other parameters, such as m_χ, smoothly between kinematic kinks. A table
of the coefficients therefore gives counts and their exact derivatives without another integral.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.polynomial import WithStandardModel, total_polynomial
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import endpoint_of, kinks_of
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy

# Coefficients are fitted to this fraction of the largest value that the monomial has in any bin: what integrals
# leave of rounding must not look like structure.
FLOOR = 1e-12
# Bytes of coefficients: every bin has kinks of its own, so that tables grow with the square of their number.
_LARGEST = 2.0**32


class CountTable(NamedTuple):
    """Signal counts of an experiment, Standard Model included, and what shape nuisances add to them.

    Attributes
    ----------
    exponents : tuple of tuple of int
        One monomial of the couplings each.
    breaks : float64[pieces + 1]
        Of the additional parameter; [0, 1] if there is none.
    coefficients : float64[pieces, degree + 1, tables, monomials, bins]
        Of u^d, highest power first, with u = −1 and 1 at the ends of a piece. Table 0 is the nominal one.
    """

    exponents: tuple[Exponents, ...]
    breaks: Floats
    coefficients: Floats

    def on(self, exponents: Sequence[Exponents]) -> Floats:
        """The coefficients for a list of monomials that contains this table's."""
        if tuple(exponents) == self.exponents:
            return self.coefficients
        pieces, powers, tables, _, bins = self.coefficients.shape
        found = np.zeros((pieces, powers, tables, len(exponents), bins))
        found[..., [exponents.index(e) for e in self.exponents], :] = self.coefficients
        return found


class Counts(NamedTuple):
    """An experiment's counts of interactions: of itself and of its variants one standard deviation away."""

    experiment: Experiment
    shapes: tuple[tuple[Experiment, Experiment], ...]
    couplings: tuple[str, ...]
    phases: Mapping[str, complex]
    standard_model: WithStandardModel
    rtol: float

    def of(self, batch: Sequence[Interaction], threads: int = 1) -> tuple[tuple[Exponents, ...], Floats]:
        """Monomials, and float64[n, tables, monomials, bins]."""
        exponents, nominal = self._of(self.experiment, batch, threads)
        if not self.shapes:
            return exponents, nominal[:, None]
        tables = [nominal]
        for up, down in self.shapes:
            tables.append((self._of(up, batch, threads)[1] - self._of(down, batch, threads)[1]) / 2)
        return exponents, np.stack(tables, axis=1)

    def _of(
        self, experiment: Experiment, batch: Sequence[Interaction], threads: int
    ) -> tuple[tuple[Exponents, ...], Floats]:
        """Monomials, the constant first, and float64[n, monomials, bins]."""
        polynomial = total_polynomial(
            experiment, batch, self.couplings, self.phases,
            standard_model=self.standard_model, rtol=self.rtol, threads=threads,
        )  # fmt: skip
        return polynomial.exponents, polynomial.values

    def _at(
        self, make: Callable[[float], Interaction], x: Floats, vary: Callable[["Counts", float], "Counts"] | None
    ) -> tuple[tuple[Exponents, ...], Floats]:
        """Monomials and counts for values of the additional parameter."""
        if vary is None:
            return self.of([make(each) for each in x.tolist()])
        found = [vary(self, each).of([make(each)]) for each in x.tolist()]
        return found[0][0], np.concatenate([values for _, values in found])

    def constant_table(self, interaction: Interaction) -> CountTable:
        """The table of one interaction."""
        exponents, values = self.of([interaction])
        return CountTable(exponents, np.array([0.0, 1.0]), values[None])

    def table(
        self,
        make: Callable[[float], Interaction],
        kinks: Sequence[float],
        vary: Callable[["Counts", float], "Counts"] | None = None,
    ) -> CountTable:
        """The table of interactions between the first and the last of the kinks in their additional parameter.

        `vary` is for a parameter that is not of the interaction: from counts and a value of it to other counts.
        """
        ends = np.array(kinks)
        probe = np.concatenate([ends[:-1] + x * np.diff(ends) for x in (0.02, 0.2, 0.5, 0.8, 0.98)])
        probe = probe[:: max(1, probe.size // 64)]
        exponents, values = self._at(make, probe, vary)
        size = np.abs(values).max(axis=0)  # [tables, monomials, bins]
        needed = 8.0 * (piecewise.DEGREE + 1) * (ends.size - 1) * size.size
        if needed > _LARGEST:
            raise ValueError(
                f"parameters: {size.shape[-1]} bins of {self.experiment.name} with {ends.size} kinks from "
                f"{kinks[0]:g} to {kinks[-1]:g} make a table of {needed / 2**30:.0f} GiB; must be fewer bins, narrower "
                "bounds, or a fixed mass"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            floor = np.where(size > 0, FLOOR * size[0].max(axis=-1, keepdims=True) / size, 0.0)

        def evaluate(x: Floats) -> Floats:
            found, values = self._at(make, x, vary)
            result = np.zeros((x.size, *size.shape))
            result[:, :, [exponents.index(e) for e in found]] = values
            return result.reshape(x.size, -1).T

        name = f"counts of {self.experiment.name} from {kinks[0]:g} to {kinks[-1]:g} (narrower bounds may help)"
        is_exact = not isinstance(make(kinks[0]), NumericalInteraction)  # how well an integral is known
        tolerance = piecewise.TOLERANCE if is_exact else self.rtol
        fitted = piecewise.fit(evaluate, kinks, floor=floor.ravel(), tolerance=tolerance, name=name)
        coefficients = fitted.coefficients[:, ::-1].reshape(*fitted.coefficients.shape[:2], *size.shape)
        return CountTable(exponents, fitted.breaks, np.ascontiguousarray(coefficients))


def kinks_between(low: float, high: float, experiments: Sequence[Experiment]) -> list[float]:
    """Masses of χ, MeV, from low to high, at which the counts of one of the experiments are not smooth."""
    found = [low]
    for m in sorted({m for e in experiments for m in mass_kinks(e)}):
        if found[-1] * (1 + 1e-9) < m < high * (1 - 1e-9):  # isotopes' kinks may coincide but for rounding
            found.append(m)
    return [*found, high]


def heaviest(experiment: Experiment) -> float:
    """The largest mass of χ that the source can produce on any nuclide, MeV."""
    E = endpoint_of(experiment.source)
    return max(_at_threshold(E, n.mass) for n in experiment.detector.target.nuclides)


def mass_kinks(experiment: Experiment) -> list[float]:
    """Masses of χ, MeV, at which a bin's counts are not smooth: its edge is T_min or T_max of a kink of the flux.

    T is a limit of a neutrino of energy E if E is the smallest energy that gives T, E₀(T) (1 + m²/(2MT)).
    """
    found = set()
    for nuclide in experiment.detector.target.nuclides:
        M = nuclide.mass
        for E in kinks_of(experiment.source):
            if E == 0:
                continue
            found.add(_at_threshold(E, M))
            for T in experiment.detector.response_breakpoints(experiment.largest_recoil):
                square = 2 * M * T * (E / float(minimum_neutrino_energy(T, 0.0, M)) - 1)
                if square > 0:
                    found.add(math.sqrt(square))
    return sorted(found)


def _at_threshold(E: float, M: float) -> float:
    """The heaviest χ that a neutrino of energy E produces on a nucleus of mass M, BRX Eq. (11)."""
    return 2 * E / (1 + math.sqrt(1 + 2 * E / M))
