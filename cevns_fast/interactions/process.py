"""What an interaction tells the rest of the library.

A neutrino of energy E hits a nucleus of mass M, which recoils with T, and a particle of mass m leaves. For every
interaction of the three papers

    dσ/dT = P(T) Σ_terms ± c T^j E^k Σ_h Re[a_h* b_h],      P(T) = (2MT + m_med²)^−p,

where a and b are two of the interaction's nuclear amplitudes (proton part × F_p + neutron part × F_n), h runs over
the helicity states of the beam and the sign of an odd term flips for antineutrinos. A `Process` holds the terms;
amplitudes are polynomials in the couplings, so counts are too.

An interaction that treats all neutrinos alike needs no more than `processes` and `amplitudes`. One that tells flavours
apart, interferes with the Standard Model or hits electrons answers with `scatterings` of a `Collision`: amplitudes
then belong to a state in flavour space, and h runs over the final flavours as well, which do not interfere.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cevns_fast import _validate as validate
from cevns_fast._support import drawn, shown
from cevns_fast._support.remember import remember
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Batch = float | Floats  # one number for each interaction of a batch, or one for all

# Amplitudes of a batch: complex128[n or 1, helicities, amplitudes, 2 (proton, neutron)], for each monomial
# (a tuple of exponents) in the couplings that are left open.
Exponents = tuple[int, ...]
AmplitudePolynomial = Mapping[Exponents, Complexes]

FLAVOURS = ("e", "mu", "tau")
# A part of an amplitude beyond the first two: what multiplies F_p there, as a function of Q² = 2MT, MeV².
Part = Callable[[Floats], Floats]


class Beam(NamedTuple):
    """Neutrinos that an interaction can tell from others.

    Attributes
    ----------
    state : (complex, complex, complex)
        ⟨e|ν⟩, ⟨μ|ν⟩ and ⟨τ|ν⟩.
    antineutrino : bool

    Examples
    --------
    >>> Beam(state=(0, 1, 0), antineutrino=True)  # ν̄_μ
    Beam(state=(0, 1, 0), antineutrino=True)
    """

    state: tuple[complex, complex, complex]
    antineutrino: bool


class Collision(NamedTuple):
    """What hits what, beside what.

    Attributes
    ----------
    target : Nuclide
        A nucleus, or an `Electron`.
    beam : Beam or None
        None for all neutrinos of a source together.
    standard_model : StandardModel or None
        What to interfere with.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> Collision(cf.nuclide("Cs133"), Beam((0, 1, 0), antineutrino=False)).target.name
    'Cs133'
    """

    target: Nuclide
    beam: Beam | None = None
    standard_model: Any = None


class Term(NamedTuple):
    """One monomial of a cross section: c m^l T^j E^k Re[a* b], with the mass m of the particle that leaves.

    Attributes
    ----------
    first, second : int
        Which of the interaction's amplitudes a and b are.
    T_power, E_power : int
        j, from −2 to 2, and k.
    coefficient : float or float64[n]
        c, in powers of MeV such that dσ/dT with its propagator is in MeV⁻³; one for all of a batch or one for each.
    odd : bool
        Whether the sign flips for antineutrinos.
    mass_power : int
        l, from 0 to 8.

    Examples
    --------
    >>> M = 123.8e3  # MeV
    >>> Term(0, 0, T_power=1, E_power=-2, coefficient=-M)  # −M T/E² |a|²
    Term(first=0, second=0, T_power=1, E_power=-2, coefficient=-123800.0, odd=False, mass_power=0)
    """

    first: int
    second: int
    T_power: int
    E_power: int
    coefficient: Batch
    odd: bool = False  # the sign flips for antineutrinos
    mass_power: int = 0


# (first, second, T_power, odd, E_power, mass_power) of each kind of term.
Shape = tuple[tuple[int, int, int, bool, int, int], ...]

T_POWERS = range(-2, 3)
MASS_POWERS = range(9)


@dataclass(frozen=True, eq=False)
class Structure:
    """What terms have in common for all masses."""

    shape: Shape
    lanes: tuple[tuple[bool, int], ...]  # of each of the shape: whether it is odd, power of E
    place: tuple[int, ...]  # of each term in the shape
    coefficients: Floats | None  # [shape, 1], if all are plain numbers


class Process(NamedTuple):
    """νN → XN at tree or loop level, for a batch of interactions of one kind.

    Attributes
    ----------
    final_mass : float or float64[n]
        Of X, MeV: it decides between which energies the terms hold.
    terms : tuple of Term
    propagator_power : int
        p of 1/(2MT + m²)^p.
    mediator_mass : float or float64[n]
        m, MeV.

    Examples
    --------
    >>> light = Process(0.0, (Term(0, 0, 0, 0, 1.0),), propagator_power=2, mediator_mass=10.0)
    >>> len(light.terms)
    1
    """

    final_mass: Batch
    terms: tuple[Term, ...]
    propagator_power: int = 0
    mediator_mass: Batch = 0.0

    @property
    def structure(self) -> Structure:
        """What does not depend on the masses; equal terms have the same object."""
        try:
            return _remembered_structure(self.terms)
        except TypeError:  # arrays, a number for each of a batch, do not hash
            return _structure(self.terms)

    def coefficients(self) -> Floats:
        """Coefficients of the structure's shape, less the powers of the mass, [shape, n or 1]."""
        structure = self.structure
        if structure.coefficients is not None:
            return structure.coefficients
        found = np.zeros((len(structure.shape), max(np.size(term.coefficient) for term in self.terms)))
        for place, term in zip(structure.place, self.terms, strict=True):
            found[place] += term.coefficient
        return found


# Of masses squared: closer than this, two propagators are expanded around their mean, which converges like its square.
_NEARLY_EQUAL = 0.1
_SERIES_TERMS = 7


def two_propagators(final_mass: Batch, terms: tuple[Term, ...], first: Batch, second: Batch) -> tuple[Process, ...]:
    """Processes that make up one with the product 1/[(2MT + m₁²)(2MT + m₂²)] of two propagators.

    By partial fractions, (1/D₁ − 1/D₂)/(m₂² − m₁²); where the masses are nearly equal, and that would cancel, by the
    series Σ δ²ⁿ/D²ⁿ⁺² in δ = (m₂² − m₁²)/2 around the mean D. All processes have the same amplitudes.
    """
    a, b = np.square(np.asarray(first, dtype=np.float64)), np.square(np.asarray(second, dtype=np.float64))
    mean, half = (a + b) / 2, (b - a) / 2
    near = np.abs(half) <= _NEARLY_EQUAL * mean
    weight = np.where(near, 0.0, 1 / np.where(near, 1.0, 2 * half))
    found = [(weight, first, 1), (-weight, second, 1)]
    found += [(np.where(near, half ** (2 * n), 0.0), np.sqrt(mean), 2 * n + 2) for n in range(_SERIES_TERMS)]
    return tuple(
        Process(final_mass, _scaled(terms, factor), power, _plain(mass))
        for factor, mass, power in found
        if np.any(factor)
    )


def _scaled(terms: tuple[Term, ...], factor: Floats) -> tuple[Term, ...]:
    """Terms times a factor for each interaction of a batch."""
    return tuple(term._replace(coefficient=_plain(term.coefficient * factor)) for term in terms)


def _plain(value: Any) -> Batch:
    """A number, if it is one."""
    return float(value) if np.ndim(value) == 0 else np.asarray(value, dtype=np.float64)


class Scattering(NamedTuple):
    """A process with the amplitudes that enter it.

    Attributes
    ----------
    process : Process
    amplitudes : mapping of exponents to complex128[n or 1, helicities, amplitudes, (protons, neutrons)]
        A polynomial in the open couplings: ``{(2,): …}`` is what multiplies the square of the only one.

    Examples
    --------
    >>> import numpy as np
    >>> process = Process(0.0, (Term(0, 0, 0, 0, 1.0),))
    >>> list(Scattering(process, {(1,): np.array([[[[55.0, 78.0]]]], dtype=complex)}).amplitudes)
    [(1,)]
    """

    process: Process
    amplitudes: AmplitudePolynomial


def _structure(terms: tuple[Term, ...]) -> Structure:
    """Sort terms by what they have in common."""
    for term in terms:
        for name, value, allowed in (
            ("T_power", term.T_power, T_POWERS),
            ("mass_power", term.mass_power, MASS_POWERS),
        ):
            if not isinstance(value, int | np.integer) or value not in allowed:
                raise ValueError(f"{name} = {value!r}: must be a whole number from {allowed[0]} to {allowed[-1]}")
    each = [(t.first, t.second, t.T_power, t.odd, t.E_power, t.mass_power) for t in terms]
    shape = tuple(dict.fromkeys(each))
    place, coefficients = tuple(shape.index(one) for one in each), None
    if not any(isinstance(t.coefficient, np.ndarray) for t in terms):
        coefficients = np.zeros((len(shape), 1))
        for i, term in zip(place, terms, strict=True):
            coefficients[i] += term.coefficient
    lanes = tuple((odd, k) for _, _, _, odd, k, _ in shape)
    return Structure(shape, lanes, place, coefficients)


_remembered_structure = remember(maxsize=512)(_structure)


@remember(maxsize=256)
def channels_of(shape: Shape) -> tuple[tuple[int, int], ...]:
    """The products of two amplitudes that occur."""
    return tuple(dict.fromkeys((first, second) for first, second, *_ in shape))


class Interaction(ABC):
    """Base of all interactions: immutable, compared by value.

    A new interaction is a frozen dataclass with `processes` and `amplitudes`; the guide "Your own experiment, detector,
    source, interaction" has a worked example.

    Attributes
    ----------
    couplings : mapping of str to str
        Of the class, as all that follow: the couplings that may be left open in scans, with what they are.
    open_couplings : mapping of str to str
        The same, for a class whose `couplings` are something else.
    coupling_ranges : mapping of str to (float, float, float)
        Of open couplings that are not around zero: what to start from, least and greatest.
    default_couplings : tuple of str
        What `templates` opens if it is not told.
    real_couplings : collection of str
        Open couplings that are real numbers, as a hermitian matrix's diagonal is.
    conjugated_couplings : collection of str
        Those that amplitudes have with their conjugates where flavours are coherent: counts then know one phase of
        each.
    final_mass_name : str
        The field that is the mass of what leaves: at certain values of it counts are not smooth.
    mass_fields : (str, str) or None
        Of the library's own kinds: the fields that are the mass of what leaves and the mediator's, "" for one that is
        0, if they are that in every process and enter nowhere else. What differs in them has the same terms and
        amplitudes.
    is_drawn : bool
        Whether a notebook shows dσ/dT; not where that takes time.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> issubclass(cf.ScalarMediator, Interaction), cf.ScalarMediator.default_couplings
    (True, ('y_bar',))
    >>> scalar, caesium = cf.ScalarMediator(m_chi=1.0, m_S=10.0), cf.nuclide("Cs133")
    >>> scalar.replace(m_S=20.0).m_S
    20.0
    >>> (process,) = scalar.processes([scalar], caesium)
    >>> process.propagator_power, process.mediator_mass
    (2, 10.0)
    >>> (polynomial,) = scalar.amplitudes([scalar], caesium, ("y_bar",), {})
    >>> polynomial[2,].real.ravel().tolist()  # of the second power: protons and neutrons
    [55.0, 78.0]
    >>> (scattering,) = scalar.scatterings([scalar], Collision(caesium), ("y_bar",), {})
    >>> scattering.process == process
    True
    """

    couplings: ClassVar[Mapping[str, str]] = {}
    open_couplings: ClassVar[Mapping[str, str]] = {}
    coupling_ranges: ClassVar[Mapping[str, tuple[float, float, float]]] = {}
    default_couplings: ClassVar[tuple[str, ...]] = ()
    real_couplings: ClassVar[Collection[str]] = ()
    conjugated_couplings: ClassVar[Collection[str]] = ()
    final_mass_name: ClassVar[str] = "m_chi"
    mass_fields: ClassVar[tuple[str, str] | None] = None
    is_drawn: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """The processes on a nuclide, with coefficients for every interaction of the batch."""

    @classmethod
    @abstractmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """For each process, the amplitudes as polynomials in the open couplings."""

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """Processes and amplitudes of a collision; none if it does not happen."""
        target = collision.target
        if isinstance(target, Electron):
            return ()
        amplitudes = cls.amplitudes(batch, target, couplings, phases)
        found = tuple(map(Scattering, cls.processes(batch, target), amplitudes))
        return found if collision.beam is None else of_flavours(found, batch, collision.beam)

    @classmethod
    def tells_flavours(cls, batch: Sequence[Self], electrons: bool, standard_model: Any) -> bool:
        """Whether `scatterings` need to know the beam; what does not is computed for all neutrinos at once."""
        if not hasattr(cls, "flavours"):
            return False
        # By value where not by identity: an unpickled tuple is another object.
        return any([f is not FLAVOURS and f != FLAVOURS for f in [each.flavours for each in batch]])  # type: ignore[attr-defined]

    @classmethod
    def parts(cls, batch: Sequence[Self], standard_model: Any) -> tuple[Part, ...]:
        """Functions of Q² that parts of the amplitudes come with, beyond proton and neutron."""
        return ()

    def check_standard_model(self, standard_model: Any) -> None:  # noqa: B027 - for those that interfere
        """Refuse a Standard Model with which this interaction's own interference would be inconsistent."""

    def replace(self, **changes: Any) -> Self:
        """A copy with other parameters.

        Raises
        ------
        ValueError
            If a name is unknown or a value is refused.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        validate.unknown_fields(type(self).__name__, changes, own)
        return type(self)(**{**own, **changes})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "couplings" in cls.__dict__ and "open_couplings" not in cls.__dict__:
            cls.open_couplings = cls.__dict__["couplings"]
        if "__repr__" not in cls.__dict__:  # a dataclass would make its own, with every field
            cls.__repr__ = Interaction.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        """How it was made: without what is as it is by default, and with plain numbers."""
        stated = [
            f"{f.name}={shown.plain(getattr(self, f.name))!r}"
            for f in _shown_fields(self)
            if not _is_default(getattr(self, f.name), f.default)
        ]
        return f"{type(self).__name__}({', '.join(stated)})"

    def _repr_html_(self) -> str:
        """A table of all fields and of what couplings are, and dσ/dT."""
        values = {f.name: shown.plain(getattr(self, f.name)) for f in _shown_fields(self)}
        meaning = {name: words for name, words in self.open_couplings.items() if name in values}
        rows = {
            name + (" (MeV)" if name.startswith("m_") else ""): shown.number(value)
            + (f" — {meaning[name]}" if name in meaning else "")
            for name, value in values.items()
        }  # fmt: skip
        return shown.table(type(self).__name__, rows, drawn.pictures().cross_section(self) if self.is_drawn else "")

    @classmethod
    def check_couplings(cls, couplings: Iterable[str], phases: Mapping[str, complex]) -> tuple[str, ...]:
        """The names, if all can be left open and the phases are theirs; `ValueError` otherwise."""
        names = couplings if type(couplings) is tuple else validate.sequence("couplings", couplings, object, "names")
        for name in names:
            if not isinstance(name, str) or name not in cls.open_couplings:
                validate.choice("coupling", name, cls.open_couplings)
        if len(names) > 1 and len(set(names)) != len(names):
            raise ValueError(f"couplings = {names}: each may be named once")
        if type(phases) is dict and not phases:
            return names
        if not isinstance(phases, Mapping):
            raise ValueError(f"phases = {phases!r}: must be a mapping of couplings to complex numbers")
        for name, phase in phases.items():
            validate.choice("phases", name, names)
            if abs(abs(validate.coupling(f"phase of {name}", phase)) - 1) > 1e-12:
                raise ValueError(f"phase of {name} = {phase!r}: must be a complex number of modulus 1")
            if name in cls.real_couplings and complex(phase).imag != 0:
                raise ValueError(f"phase of {name} = {phase!r}: must be 1 or -1; {name} is real")
        return names


def check_flavours(interaction: Any) -> None:
    """Names of flavours, in their order; all of them are always the same object."""
    given = interaction.flavours
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(f"flavours = {given!r}: must be a sequence of {', '.join(map(repr, FLAVOURS))}")
    names = tuple(given)
    for name in names:
        validate.choice("flavours", name, FLAVOURS)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"flavours = {given!r}: must name at least one flavour, and each once")
    ordered = tuple(name for name in FLAVOURS if name in names)
    object.__setattr__(interaction, "flavours", FLAVOURS if ordered == FLAVOURS else ordered)


def of_flavours(scatterings: tuple[Scattering, ...], batch: Sequence[Any], beam: Beam) -> tuple[Scattering, ...]:
    """Amplitudes times √(the share of the beam that couples): each flavour has a χ of its own."""
    shares = [
        sum(abs(x) ** 2 for name, x in zip(FLAVOURS, beam.state, strict=True) if name in each.flavours)
        for each in batch
    ]
    weight = np.sqrt(shares[:1] if shares.count(shares[0]) == len(shares) else shares)[:, None, None, None]
    return tuple(
        Scattering(process, {e: weight * amplitudes for e, amplitudes in polynomial.items()})
        for process, polynomial in scatterings
    )


def of_batch(batch: Sequence[Any], name: str) -> Batch:
    """One field of all interactions of a batch; a plain number, which is faster, if there is one."""
    if len(batch) == 1:
        return float(getattr(batch[0], name))
    return np.array([getattr(each, name) for each in batch], dtype=np.float64)


def _shown_fields(interaction: Any) -> list[Any]:
    """The fields of a dataclass that its `repr` has."""
    return [f for f in fields(interaction) if f.repr and f.init] if is_dataclass(interaction) else []


def _is_default(value: Any, default: Any) -> bool:
    """Whether a field has the value that nobody states."""
    if default is MISSING or type(value) is not type(default):
        return False
    try:
        return bool(value == default)
    except ValueError:  # an array
        return False


def spelled_out(value: Any) -> str:
    """An interaction with every field, for provenance: defaults may change, what was computed does not."""
    if not isinstance(value, Interaction):
        return repr(value)
    stated = (f"{f.name}={shown.plain(getattr(value, f.name))!r}" for f in _shown_fields(value))
    return f"{type(value).__name__}({', '.join(stated)})"


class Varied(NamedTuple):
    """The mass in which the interactions of a batch differ."""

    name: str
    values: Floats


def varied_mass(batch: Sequence[Interaction]) -> Varied | None:
    """The mass, MeV, that varies, or the only interaction's first; None if there is none."""
    first = batch[0]
    for name in (f.name for f in _shown_fields(first) if f.name.startswith("m_")):
        try:
            values = np.array([getattr(each, name) for each in batch], dtype=np.float64)
        except (TypeError, ValueError):
            continue
        if len(batch) == 1 or np.any(values != values[0]):
            return Varied(name, values)
    return None
