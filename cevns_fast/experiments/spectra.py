"""Energy spectra given by points or by reactor models, and the tables of the latter.

A spectrum is a callable of E (MeV, array) with `breakpoints`: its ends and every energy where it is not smooth. It is
never continued beyond its ends.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.data import data_path, read_table

Interpolation = Literal["linear", "log"]


@dataclass(frozen=True)
class TabulatedSpectrum:
    """A spectrum given by points; zero outside them.

    Attributes
    ----------
    energies : tuple of float
        MeV, >= 0 and not decreasing; an energy that is there twice is a step.
    values : tuple of float
        Neutrinos per MeV, in whatever unit; >= 0, or > 0 for "log".
    interpolation : {"linear", "log"}
        Between neighbours the spectrum, or its logarithm, is a straight line.
    uncertainty : float or tuple of float
        Relative, for all points or for each; fully correlated between energies.

    Raises
    ------
    ValueError
        If there are fewer than two points, lengths differ, or a number is out of range.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> step = cf.TabulatedSpectrum((1.0, 2.0, 2.0, 3.0), (1.0, 1.0, 0.5, 0.5), uncertainty=0.1)
    >>> step([0.9, 1.9, 2.1]).tolist()
    [0.0, 1.0, 0.5]
    >>> step.integral, round(step.integral_uncertainty, 12)
    (1.5, 0.1)
    """

    energies: tuple[float, ...]
    values: tuple[float, ...]
    interpolation: Interpolation = "linear"
    uncertainty: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        E = validate.vector("energies", self.energies)
        steps = np.diff(E)
        # Three at one energy leave the middle value without meaning, two at an end the outer one.
        thrice = np.any((steps[:-1] == 0) & (steps[1:] == 0)) or np.any(steps[[0, -1]] == 0) if E.size > 1 else True
        if thrice or np.any(steps < 0) or E[0] < 0:
            raise ValueError(
                f"energies = {E.tolist()}: must be at least two, >= 0 and not decreasing; "
                "one that is repeated once, inside, is a step"
            )
        y = validate.vector("values", self.values, length=E.size, minimum=0.0)
        validate.choice("interpolation", self.interpolation, ("linear", "log"))
        if self.interpolation == "log" and np.any(y <= 0):
            raise ValueError(f"values = {y.min():g}: must be > 0 for a logarithmic interpolation")
        if not np.any(y > 0):
            raise ValueError("values: must not all be 0")
        object.__setattr__(self, "energies", tuple(E.tolist()))
        object.__setattr__(self, "values", tuple(y.tolist()))
        if isinstance(self.uncertainty, tuple | list | np.ndarray):
            u = validate.vector("uncertainty", self.uncertainty, length=E.size, minimum=0.0)
            object.__setattr__(self, "uncertainty", tuple(u.tolist()))
        else:
            validate.number("uncertainty", self.uncertainty, minimum=0.0)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Every energy of the table, MeV."""
        return tuple(dict.fromkeys(self.energies))

    def __call__(self, E: ArrayLike) -> Floats:
        """Neutrinos per MeV; at a step, what holds above it."""
        E = validate.real("E", E)
        x, y = np.array(self.energies), np.array(self.values)
        if self.interpolation == "log":
            y = np.log(y)
        i = np.clip(np.searchsorted(x, E, side="right") - 1, 0, x.size - 2)
        t = (E - x[i]) / (x[i + 1] - x[i])
        value = (1 - t) * y[i] + t * y[i + 1]
        inside = (E >= x[0]) & (E <= x[-1])
        if self.interpolation == "log":
            value = np.exp(np.where(inside, value, 0.0))
        return np.asarray(np.where(inside, value, 0.0))

    @property
    def integral(self) -> float:
        """∫ over all energies, exact."""
        width, y = np.diff(self.energies), np.array(self.values)
        mean = 0.5 * (y[1:] + y[:-1])
        if self.interpolation == "log":  # the logarithmic mean; equal neighbours are their own
            rise = np.log(y[1:] / y[:-1])
            flat = np.abs(rise) < 1e-6
            mean = np.where(flat, mean, np.diff(y) / np.where(flat, 1.0, rise))
        return float(width @ mean)

    @property
    def integral_uncertainty(self) -> float:
        """Relative uncertainty of the integral: everything moves up together."""
        raised = np.array(self.values) * (1 + np.asarray(self.uncertainty))
        return replace(self, values=tuple(raised.tolist())).integral / self.integral - 1


ISOTOPES = ("U235", "U238", "Pu239", "Pu241")

# Where the fits above 2 MeV and the tables below it meet, and where each model ends, MeV.
JUNCTION = 2.0
HIGHEST = {"huber-mueller": 8.0, "mueller": 8.0, "kopeikin": 9.0}
LOW_ENERGY = ("vogel-engel", "kopeikin")


@remember(maxsize=4)
def polynomials(model: str) -> dict[str, tuple[float, ...]]:
    """Coefficients of ln(antineutrinos per fission and MeV) in powers of E by isotope, valid on 2–8 MeV."""
    table = read_table(data_path("reactor", "polynomials.csv"))
    found = {
        (source, isotope): tuple(map(float, coefficients))
        for source, isotope, *coefficients in zip(*table.values(), strict=True)
    }
    # Huber converted the beta spectra of three isotopes; U238 fissions with fast neutrons and is Mueller's.
    huber = {isotope: found["huber", isotope] for isotope in ISOTOPES if ("huber", isotope) in found}
    mueller = {isotope: found["mueller", isotope] for isotope in ISOTOPES}
    return mueller | huber if model == "huber-mueller" else mueller


@remember(maxsize=1)
def vogel_engel() -> tuple[Floats, dict[str, Floats]]:
    """Energies, and antineutrinos per fission and MeV of each isotope, up to 2 MeV."""
    table = {name: np.array(column, dtype=np.float64) for name, column in _reactor_table("vogel-engel").items()}
    return table["energy"], {isotope: table[isotope] for isotope in ISOTOPES}


@remember(maxsize=1)
def kopeikin() -> TabulatedSpectrum:
    """Antineutrinos per fission and MeV of a whole pressurised-water reactor."""
    columns = {name: tuple(map(float, column)) for name, column in _reactor_table("kopeikin").items()}
    percent = tuple(0.01 * u for u in columns["uncertainty"])
    return TabulatedSpectrum(columns["energy"], columns["total"], uncertainty=percent)


def _reactor_table(name: str) -> dict[str, list[str]]:
    return read_table(data_path("reactor", f"{name}.csv"))
