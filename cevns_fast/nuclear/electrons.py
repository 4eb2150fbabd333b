"""Electrons as a target: at rest, and bound in shells out of which a recoil has to lift them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import ATOMIC_MASS_UNIT, KEV, M_ELECTRON
from cevns_fast.data import data_path, read_table
from cevns_fast.nuclear.nuclei import Nuclide, Target


@dataclass(frozen=True)
class Electron(Nuclide):
    """An electron at rest, or those of an atom: it stands where a nuclide does.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> isinstance(cf.ELECTRON, cf.Electron), round(cf.ELECTRON.mass, 3)
    (True, 0.511)
    """

    element: str | None = None

    def __post_init__(self) -> None:
        """An electron is no nuclide whose numbers could be checked."""

    @property
    def mass(self) -> float:
        """MeV."""
        return M_ELECTRON


#: A single free electron.
ELECTRON = Electron("electron", Z=1, N=0, atomic_mass=M_ELECTRON / ATOMIC_MASS_UNIT)


@remember(maxsize=1)
def _shells() -> dict[str, tuple[int, Floats, Floats]]:
    """Of each element Z, and the binding energies (MeV, falling) and electrons of its subshells."""
    table = read_table(data_path("electron_shells.csv"))
    rows = list(zip(table["element"], table["Z"], table["electrons"], table["binding"], strict=True))
    found = {}
    for element in dict.fromkeys(row[0] for row in rows):
        own = sorted(((float(b) * 1e-3 * KEV, float(n)) for e, _, n, b in rows if e == element), reverse=True)
        binding, electrons = np.array(own).T
        found[element] = (next(int(Z) for e, Z, *_ in rows if e == element), binding, electrons)
    return found


def effective_electrons(element: str, T: ArrayLike) -> Floats | float:
    """Z_eff(T), the electrons of an atom that a recoil T can set free: those bound by no more than T.

    Parameters
    ----------
    element : str
        Symbol, H to U.
    T : array_like
        Recoil energy of the electron, MeV, >= 0.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If the element's shells are not tabulated, or T is negative or not finite.

    Notes
    -----
    The step function of the binding energies of the subshells, W. T. Elam et al., Radiat. Phys. Chem. 63 (2002) 121:
    free electrons otherwise. Below some hundred eV the atom's wave functions matter, which it does not know.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.effective_electrons("Xe", [0.001, 0.01, 0.04]).tolist()
    [40.0, 52.0, 54.0]
    """
    Z, binding, electrons = _shells()[validate.choice("element", element, _shells())]
    recoils = validate.array("T", T, minimum=0.0)
    bound = (binding > recoils[..., None]) @ electrons
    result = Z - np.asarray(bound, dtype=np.float64)
    return float(result) if result.ndim == 0 else result


@dataclass(frozen=True)
class BoundElectrons:
    """In the place of a form factor: F² = Z_eff(T)."""

    def proton(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """√Z_eff(T) of the atom whose electrons these are; 1 for a free electron."""
        if not isinstance(nuclide, Electron) or nuclide.element is None:
            return np.ones_like(np.asarray(T, dtype=np.float64))
        return np.sqrt(effective_electrons(nuclide.element, T))

    neutron = proton

    def breakpoints(self, nuclide: Nuclide) -> tuple[float, ...]:
        """Recoil energies, MeV, at which another shell opens."""
        if not isinstance(nuclide, Electron) or nuclide.element is None:
            return ()
        return tuple(sorted(set(_shells()[nuclide.element][1].tolist())))


def electrons_of(target: Target) -> Target:
    """The electrons of a material, all of an element together, as a target of as many atoms."""
    symbols = {Z: element for element, (Z, *_) in _shells().items()}
    nuclides: list[Nuclide] = []
    counts: list[float] = []
    for Z in dict.fromkeys(n.Z for n in target.nuclides):
        if Z not in symbols:
            raise ValueError(f"target = {target.name!r}: the shells of Z = {Z} are not tabulated")
        own = [(n, c) for n, c in zip(target.nuclides, target.counts, strict=True) if n.Z == Z]
        number = sum(c for _, c in own)
        mean_mass = sum(c * n.atomic_mass for n, c in own) / number
        nuclides.append(Electron(f"electrons of {symbols[Z]}", 1, 0, mean_mass, element=symbols[Z]))
        counts.append(number)
    return Target(f"electrons of {target.name}", tuple(nuclides), tuple(counts))
