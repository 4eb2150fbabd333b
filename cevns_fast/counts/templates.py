"""Templates and event rates: what users call."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support import shown
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.flux import has_coherent_flavours
from cevns_fast.counts.polynomial import (
    DEFAULT_RTOL,
    METHODS,
    WithStandardModel,
    check_experiment,
    checked_batch,
    checked_interactions,
    total_polynomial,
)
from cevns_fast.counts.recipe import Method, TargetParticles
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Exponents, Interaction

_NEGATIVE = -1e-9  # of the largest bin: what rounding may leave


@dataclass(frozen=True, eq=False)
class Templates:
    """Counts as a polynomial in couplings: the Standard Model, and one template for each product of couplings.

    Attributes
    ----------
    couplings : tuple of str
        The open couplings.
    standard_model : float64[n_bins]
        Counts of the Standard Model (zeros if it was left out) and of whatever no open coupling multiplies.
    pairs : tuple of tuple of str
        The couplings whose product multiplies each template: ("a_M", "C_S"), ("y_bar",) * 4, …
    values : float64[n_pairs, n_bins]
        With a leading axis for a list of interactions.
    imaginary : float64[n_pairs, n_bins]
        What multiplies Im(x* y) of complex couplings in the product of x and y.
    real : tuple of str
        Couplings of which counts know real values only.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> found = cf.templates(csi, cf.SingletEFT(m_chi=10.0), ("C_S", "a_M"))
    >>> found.pairs
    (('C_S', 'C_S'), ('C_S', 'a_M'), ('a_M', 'a_M'))
    >>> counts = found.counts({"C_S": 0.01, "a_M": 2e-4})  # no integral is done again
    >>> float(abs(counts / cf.event_rate(csi, cf.SingletEFT(m_chi=10.0, C_S=0.01, a_M=2e-4)) - 1).max()) < 1e-12
    True
    """

    couplings: tuple[str, ...]
    standard_model: Floats
    pairs: tuple[tuple[str, ...], ...]
    values: Floats
    imaginary: Floats
    real: tuple[str, ...] = ()  # couplings of which counts know real values only

    def __repr__(self) -> str:
        """How many templates of which couplings."""
        n = f"{len(self.values)} interactions, " if self.values.ndim == 3 else ""
        return shown.line(
            "Templates:", f"{n}{len(self.pairs)} products of {shown.number(self.couplings) or 'no couplings'}",
            f"{self.values.shape[-1]} bins",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """The products, with the counts of each at couplings of one; the Standard Model's counts."""
        first = self.values.reshape(-1, *self.values.shape[-2:])[0]
        products: dict[str, list[Any]] = {
            "product": [" ".join(pair) for pair in self.pairs],
            "counts of the product at 1": [float(each.sum()) for each in first],
        }
        constant = self.standard_model.reshape(-1, self.standard_model.shape[-1])[0]
        picture = shown.steps(np.arange(constant.size + 1.0), "counts per bin", ("Standard Model", constant))
        rows = {
            "couplings": self.couplings,
            "bins": int(self.values.shape[-1]),
            "interactions": len(self.values) if self.values.ndim == 3 else 1,
            "Standard Model": f"{constant.sum():.4g} counts",
        }
        return shown.table("Templates", rows, shown.grid(products), picture)

    def counts(self, couplings: Mapping[str, complex]) -> Floats:
        """Counts per bin for values of the open couplings; those not named are zero.

        Raises
        ------
        ValueError
            If a coupling is not open, or not a finite number, or complex where it is real: as a hermitian matrix's
            diagonal, and as what is beside that for a source of coherent flavours.
        """
        for name, value in validate.mapping("couplings", couplings).items():
            validate.choice("coupling", name, self.couplings)
            if validate.coupling(name, value).imag != 0 and name in self.real:
                raise ValueError(
                    f"{name} = {value!r}: must be real; `phases` of `templates` gives what is open a phase"
                )
        x = {name: complex(couplings.get(name, 0.0)) for name in self.couplings}
        real, imaginary = np.empty(len(self.pairs)), np.zeros(len(self.pairs))
        for i, pair in enumerate(self.pairs):
            if len(pair) <= 2:  # with a fixed coupling, or one that is open
                product = x[pair[0]].conjugate() * x[pair[1]] if len(pair) == 2 else x[pair[0]]
                real[i], imaginary[i] = product.real, product.imag
            else:
                real[i] = math.prod(x[name].real for name in pair)
                if any(x[name].imag for name in pair):
                    raise ValueError(f"{pair[0]} = {x[pair[0]]!r}: must be real")
        return self.standard_model + real @ self.values + imaginary @ self.imaginary


def templates(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    couplings: Sequence[str] | None = None,
    *,
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
    target: TargetParticles = "all",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> Templates:
    """Counts as a polynomial in couplings.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction or sequence of Interaction
        One, or several of the same kind (a scan over masses), which adds a leading axis to the values.
    couplings : sequence of str, optional
        The couplings to leave open; the interaction's values of the others stay fixed. By default all those
        of `interaction.default_couplings`.
    phases : mapping of str to complex, optional
        Fixed complex directions of open couplings, of modulus 1.
    standard_model : bool or StandardModel
        Whether, and with which weak mixing angle, the Standard Model is included.
    target : {"all", "nuclei", "electrons"}
        What recoils: "all" counts electrons where the detector has a response to them.
    rtol : float
        Accuracy of the integrals.
    threads : int
        Threads to use; results do not depend on their number.

    Returns
    -------
    Templates

    Raises
    ------
    ValueError
        If an argument is refused, or the interactions are of different kinds.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> t = cf.templates(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=10.0))
    >>> len(t.pairs), t.values.shape
    (10, (10, 12))
    """
    check_experiment(experiment)
    validate.choice("target", target, ("all", "nuclei", "electrons"))
    batch = checked_batch(interaction, rtol, threads)
    kind = type(batch[0])
    names = kind.default_couplings if couplings is None else validate.sequence("couplings", couplings, object, "names")
    polynomial = total_polynomial(
        experiment, batch, names, phases, standard_model=standard_model, target=target, rtol=rtol, threads=threads
    )
    constant = polynomial.values[:, 0].copy()
    values, imaginary = polynomial.values[:, 1:], polynomial.imaginary[:, 1:]
    if isinstance(interaction, Interaction):
        constant, values, imaginary = constant[0], values[0], imaginary[0]
    monomials = _products(names, polynomial.exponents[1:])
    return Templates(names, constant, monomials, values, imaginary, real_among(names, kind, experiment))


def real_among(names: Sequence[str], kind: type[Interaction], experiment: Experiment) -> tuple[str, ...]:
    """The open couplings of which counts know real values only, times a phase that is given beforehand."""
    real = {*kind.real_couplings}
    if {*names} & {*kind.conjugated_couplings} and has_coherent_flavours(experiment.source):
        real |= {*kind.conjugated_couplings}
    return tuple(name for name in names if name in real)


@remember(maxsize=256)
def _products(names: tuple[str, ...], monomials: tuple[Exponents, ...]) -> tuple[tuple[str, ...], ...]:
    """Monomials spelled out."""
    return tuple(tuple(n for n, e in zip(names, each, strict=True) for _ in range(e)) for each in monomials)


def event_rate(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    *,
    standard_model: WithStandardModel = True,
    target: TargetParticles = "all",
    method: Method = "moments",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> Floats:
    """Expected counts per bin, without backgrounds.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction or sequence of Interaction
        A list is computed in one kernel call for each kind of interaction in it.
    standard_model : bool or StandardModel
        Whether, and with which weak mixing angle, the Standard Model is added to new physics.
    target : {"all", "nuclei", "electrons"}
        What recoils: "all" counts electrons where the detector has a response to them.
    method : {"moments", "double-integral"}
        The integral over recoils of moments of the flux, or the literal double integral over energies and recoils,
        which is slower. A `NumericalInteraction` always goes by the second.
    rtol : float
        Accuracy of the integrals, relative to the sum of the absolute values of a bin's terms.
    threads : int
        Threads to use; results do not depend on their number.

    Returns
    -------
    float64[n_bins] or float64[n, n_bins]

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    Chang & Liao 2020, Eq. (10).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, cf.StandardModel()).sum()))
    166
    """
    check_experiment(experiment)
    validate.choice("target", target, ("all", "nuclei", "electrons"))
    validate.choice("method", method, METHODS)
    batch = checked_interactions(interaction, rtol, threads)

    def of_kind(some: Sequence[Interaction]) -> Floats:
        polynomial = total_polynomial(
            experiment, some, standard_model=standard_model, target=target, method=method, rtol=rtol, threads=threads
        )
        counts = polynomial.values[:, 0]
        if standard_model is not False and isinstance(some[0], NumericalInteraction):
            _refuse_negative(some, counts)
        return counts

    if batch[0] is interaction:
        alone: Floats = of_kind(batch)[0]
        return alone
    result = np.empty((len(batch), experiment.n_bins))
    for kind in dict.fromkeys(map(type, batch)):
        rows = [i for i, each in enumerate(batch) if type(each) is kind]
        result[rows] = of_kind([batch[i] for i in rows])
    return result


def _refuse_negative(batch: Sequence[Interaction], counts: Floats) -> None:
    """Interference may be negative, but not the sum with what it interferes with."""
    negative = counts < _NEGATIVE * np.abs(counts).max(axis=1, keepdims=True)
    if negative.any():
        row, b = (int(i) for i in np.argwhere(negative)[0])
        raise ValueError(
            f"interaction = {batch[row]!r}: bin {b} has {counts[row, b]:g} counts with the Standard Model: must be >= 0"
        )
