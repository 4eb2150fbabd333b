"""Any dσ/dT: an interaction that is a compiled function."""

import copyreg
import inspect
import sys
from abc import ABCMeta
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, make_dataclass
from pickle import PicklingError
from typing import Any, ClassVar, NamedTuple, Self
from weakref import WeakValueDictionary

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.interactions.process import AmplitudePolynomial, Interaction, Process
from cevns_fast.nuclear.nuclei import Nuclide

_ARGUMENTS = ("E", "T", "nucleus", "beam", "p")
#: Degrees beyond it are no longer interpolated to full accuracy.
HIGHEST_DEGREE = 8


class Definition(NamedTuple):
    """What two numerical interactions have in common that differ in the values of their parameters alone."""

    dsigma: Callable[..., float]
    parameters: tuple[str, ...]
    degrees: tuple[tuple[str, int], ...]  # of the couplings
    scales: tuple[float, ...]  # values of the couplings at which their polynomial is found
    final_mass: str | float | None
    E_breakpoints: tuple[float, ...]
    T_breakpoints: tuple[float, ...]


class _Kinds(ABCMeta):
    """Calling `NumericalInteraction` makes a kind of interaction, a class with its own parameters, and one of them."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is NumericalInteraction:
            return _defined(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    @property
    def __signature__(cls) -> inspect.Signature:
        if cls is NumericalInteraction:
            return inspect.signature(_defined)
        own = inspect.signature(vars(cls)["__init__"])
        return own.replace(parameters=list(own.parameters.values())[1:])


class NumericalInteraction(Interaction, metaclass=_Kinds):
    """An interaction given by a function dσ/dT, which is compiled and integrated over flux and recoil.

    Parameters
    ----------
    dsigma : callable
        ``dsigma(E, T, nucleus, beam, p)``, a function that numba compiles, or has compiled with ``@njit``: dσ/dT in
        MeV⁻³ at a neutrino energy E and a recoil T, both in MeV, between the two-body limits. ``nucleus.M`` (MeV),
        ``.Z``, ``.N`` and its form factors ``.F_p`` and ``.F_n`` at this recoil; ``beam.flavour`` 0 for e, 1 for μ, 2
        for τ, −1 where the source does not say, ``beam.sign`` 1 for ν and −1 for ν̄; ``p``, the parameters in order.
    parameters : mapping of str to float
        Names and values. They are attributes of the interaction; `replace` changes their values.
    couplings : mapping of str to int, optional
        The parameters that may be left open in scans, and the degree of dσ/dT, a polynomial in them, in each; from 1
        to 8. Their values here set the scale at which the polynomial is found.
    final_mass : str or float, optional
        Mass of the particle that leaves, MeV, >= 0: the name of a parameter, or a number. None: massless.
    E_breakpoints, T_breakpoints : sequence of float
        Energies and recoils, MeV, at which dσ/dT is not smooth.

    Attributes
    ----------
    definition
        Of the class, as what follows: all that was given but the values of the parameters.
    compiled
        Numba's form of dσ/dT.
    degrees : mapping of str to int
        Of dσ/dT in each coupling.

    Raises
    ------
    ValueError
        If an argument is refused, or numba cannot compile the function: the message has its reason.

    Notes
    -----
    The function becomes machine code once: what it reads beside its arguments is a constant from then on. Electrons
    are not among its targets.

    Results that are not finite, or not the declared polynomial, are refused when counts are computed. They are as
    accurate as `rtol` asks, or an `AccuracyWarning` names the bin. Of a dσ/dT that interferes with the Standard Model
    the interference alone may be negative; counts of both together may not.

    It travels to other processes if the function can be imported from its module.

    Examples
    --------
    A scalar whose coupling to neutrinos falls with energy, which is no sum of powers:

    >>> import math
    >>> import cevns_fast as cf
    >>> def dsigma(E, T, nucleus, beam, p):
    ...     coupling = p[1] ** 2 / (1 + (E / p[2]) ** 2)
    ...     amplitude = coupling * (nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n)
    ...     return nucleus.M**2 * T / (4 * math.pi * E**2) * amplitude**2 / (2 * nucleus.M * T + p[0] ** 2) ** 2
    >>> scalar = cf.NumericalInteraction(
    ...     dsigma, parameters={"m_S": 10.0, "y": 1e-4, "scale": 30.0}, couplings={"y": 4}
    ... )
    >>> scalar
    NumericalInteraction[dsigma](m_S=10.0, y=0.0001, scale=30.0)
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, scalar, standard_model=False).sum()), 2)
    27.7
    >>> round(float(cf.limit_scan(csi, [scalar.replace(m_S=m) for m in (1.0, 100.0)], "y").upper[1]), 7)
    0.0003124
    """

    definition: ClassVar[Definition]
    compiled: ClassVar[Any]
    degrees: ClassVar[Mapping[str, int]]
    is_drawn: ClassVar[bool] = False  # in a notebook: the first double integral takes a second

    def __post_init__(self) -> None:
        for name, value in self._values():
            validate.number(name, value)
        if not 0 <= self.mass_of_final_state:
            raise ValueError(f"{self.definition.final_mass} = {self.mass_of_final_state!r}: must be >= 0, a mass")

    def _values(self) -> list[tuple[str, float]]:
        """Names and values of the parameters, in order."""
        return [(name, getattr(self, name)) for name in self.definition.parameters]

    @property
    def mass_of_final_state(self) -> float:
        """MeV."""
        mass = self.definition.final_mass
        return float(getattr(self, mass)) if isinstance(mass, str) else float(mass or 0.0)

    @property
    def vector(self) -> Floats:
        """The values of the parameters, in order."""
        return np.array([value for _, value in self._values()], dtype=np.float64)

    @classmethod
    def check_couplings(cls, couplings: Iterable[str], phases: Mapping[str, complex]) -> tuple[str, ...]:
        """The names, if all can be left open; dσ/dT is a function of real numbers."""
        names = super().check_couplings(couplings, {})
        for name, phase in validate.mapping("phases", phases).items():
            if phase != 1:
                raise ValueError(f"phase of {name} = {phase!r}: must be left out; dsigma is a function of real numbers")
        return names

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """None: there is no term table."""
        raise TypeError(f"{cls.__name__} has no term table")

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """None: there is no term table."""
        raise TypeError(f"{cls.__name__} has no term table")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), tuple(getattr(self, f.name) for f in fields(self)))  # type: ignore[arg-type]


def _restored(kind: type[NumericalInteraction], values: tuple[float, ...]) -> NumericalInteraction:
    """From a pickle."""
    return kind(*values)


def _defined(
    dsigma: Callable[..., float],
    parameters: Mapping[str, float],
    couplings: Mapping[str, int] | None = None,
    final_mass: str | float | None = None,
    E_breakpoints: Sequence[float] = (),
    T_breakpoints: Sequence[float] = (),
) -> NumericalInteraction:
    """Check a definition, and make the interaction."""
    _check_function(dsigma)
    if not isinstance(parameters, Mapping):
        raise ValueError(f"parameters = {parameters!r}: must be a mapping of names to numbers")
    reserved = set(dir(NumericalInteraction))
    for name in parameters:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or name in reserved:
            raise ValueError(f"parameters: {name!r}: must be a name that is no attribute of an interaction")
    values = {name: validate.number(f"parameters: {name}", value) for name, value in parameters.items()}
    given = couplings or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"couplings = {couplings!r}: must be a mapping of names to degrees")
    for name, degree in given.items():
        if name not in parameters:
            raise ValueError(
                f"couplings: {name!r}: must be one of the parameters, {', '.join(parameters) or 'and there are none'}"
            )
        validate.whole(f"couplings: degree in {name}", degree, minimum=1, maximum=HIGHEST_DEGREE)
    if isinstance(final_mass, str):
        if validate.choice("final_mass", final_mass, parameters) in given:
            raise ValueError(f"final_mass = {final_mass!r}: must be no coupling")
    elif final_mass is not None:
        validate.number("final_mass", final_mass, minimum=0.0)
    cuts = []
    for name, energies in (("E_breakpoints", E_breakpoints), ("T_breakpoints", T_breakpoints)):
        given_cuts = validate.sequence(name, energies, (int, float, np.floating), "(20.0, 35.0)")
        cuts.append(tuple(sorted({validate.number(name, x, positive=True) for x in given_cuts})))
    scales = tuple(abs(values[name]) or 1.0 for name in given)
    definition = Definition(dsigma, tuple(values), tuple(given.items()), scales, final_mass, *cuts)
    return _kind(definition)(**values)


def _check_function(dsigma: Any) -> None:
    """A function of five arguments."""
    function = getattr(dsigma, "py_func", dsigma)
    wanted = f"a function dsigma({', '.join(_ARGUMENTS)})"
    if not inspect.isfunction(function):
        raise ValueError(f"dsigma = {dsigma!r}: must be {wanted}")
    arguments = inspect.signature(function).parameters.values()
    if len(arguments) != len(_ARGUMENTS) or any(a.kind is not a.POSITIONAL_OR_KEYWORD for a in arguments):
        raise ValueError(f"dsigma: takes ({', '.join(a.name for a in arguments)}): must be {wanted}")


# Two interactions of one definition are of one kind; a kind is forgotten with the last of them.
_kinds: WeakValueDictionary[Definition, type[NumericalInteraction]] = WeakValueDictionary()


def _kind(definition: Definition) -> type[NumericalInteraction]:
    """The kind of interaction of a definition, made at its first use."""
    found = _kinds.get(definition)
    if found is not None:
        return found
    degrees = dict(definition.degrees)
    name = f"NumericalInteraction[{getattr(definition.dsigma, '__name__', 'dsigma')}]"
    kind = make_dataclass(
        name,
        [(each, float) for each in definition.parameters],
        bases=(NumericalInteraction,),
        frozen=True,
        namespace={
            "definition": definition,
            "compiled": staticmethod(_compiled(definition)),  # a Python function, without numba's compiler
            "degrees": degrees,
            "couplings": {each: f"coupling; counts are of degree {n} in it" for each, n in degrees.items()},
            "default_couplings": tuple(degrees),
            "real_couplings": tuple(degrees),
            "final_mass_name": definition.final_mass if isinstance(definition.final_mass, str) else "",
            "__doc__": definition.dsigma.__doc__,
            "__module__": __name__,
            "__reduce__": NumericalInteraction.__reduce__,
        },
    )
    return _kinds.setdefault(definition, kind)


def _compiled(definition: Definition) -> Any:
    """Numba's form of dσ/dT; `ValueError` with its reason if there is none."""
    from numba.core.errors import NumbaError

    from cevns_fast._kernels import double_integral as kernel

    try:
        return kernel.compiled(definition.dsigma)
    except NumbaError as error:
        raise ValueError(f"dsigma: numba cannot compile it: {_reason(str(error))}") from None
    except TypeError as error:
        raise ValueError(f"dsigma: {error}") from None


def _reason(message: str) -> str:
    """What numba says, less what it says about its own stages, in one line."""
    lines = [line.strip() for line in message.splitlines()]
    noise = (
        "Failed in",
        "During:",
        "File ",
        "<source",
        "This error",
        "To find out",
        "https:",
        "Unsupported functionality",
    )
    kept = [line for line in lines if line and not line.startswith(noise) and set(line) - set("^-=~ ")]
    return "; ".join(dict.fromkeys(kept[:4])) if kept else message.strip()


def _importable(definition: Definition) -> tuple[str, str]:
    """Module and name of the function; `PicklingError` if it cannot be found there."""
    dsigma = definition.dsigma
    module, name = getattr(dsigma, "__module__", None), getattr(dsigma, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not dsigma:
        raise PicklingError(
            f"dsigma = {module}.{name}: cannot travel to another process; it must be defined at the top level of a "
            "module, under its own name, not inside a function"
        )
    assert module is not None
    return module, name


def _kind_from(module: str, name: str, rest: tuple[Any, ...]) -> type[NumericalInteraction]:
    """A kind in the process that it has travelled to."""
    from importlib import import_module

    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return _kind(Definition(found, *rest))


def _reduce_kind(kind: type[NumericalInteraction]) -> str | tuple[Any, ...]:
    """How a kind travels: by the name of its function."""
    if kind is NumericalInteraction:
        return kind.__qualname__
    return _kind_from, (*_importable(kind.definition), tuple(kind.definition)[1:])


copyreg.pickle(_Kinds, _reduce_kind)  # type: ignore[arg-type]
