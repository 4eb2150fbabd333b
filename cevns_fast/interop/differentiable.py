"""ln L with its exact gradient as a function of other packages: JAX, PyTorch, PyTensor and with it PyMC.

Each is a function of a `Likelihood` with a `model`; the packages are imported when they are used.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from cevns_fast.likelihood.likelihood import Likelihood, function_of


def jax_log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L as a function of JAX.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    callable
        From an array of parameters, the last axis in the order of ``fit.parameters``, to ln L = −χ²/2: −inf out of
        bounds, where the gradient is NaN. It works under ``jit``, ``vmap``, ``grad``, ``value_and_grad``,
        ``jacfwd`` and ``hessian``, whose derivatives are the exact ones of `fit`. The processor computes it in
        double precision; JAX rounds to single unless ``jax.config.update("jax_enable_x64", True)`` was called.

    Raises
    ------
    ImportError
        If jax is missing (extra ``jax``).

    Examples
    --------
    >>> import jax  # doctest: +SKIP
    >>> jax.config.update("jax_enable_x64", True)  # doctest: +SKIP
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> log_likelihood = cf.jax_log_likelihood(fit)  # doctest: +SKIP
    >>> value, gradient = jax.jit(jax.value_and_grad(log_likelihood))([0.1, 0.0])  # doctest: +SKIP
    """
    return _made("jax", "jax", "jax_log_likelihood", fit)


def torch_log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L as a function of PyTorch.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    callable
        From a tensor of parameters, the last axis in the order of ``fit.parameters``, to ln L = −χ²/2, with its exact
        gradient for ``backward`` and for ``torch.func.grad`` and ``vmap``. Second derivatives are `fit.hessian`.

    Raises
    ------
    ImportError
        If torch is missing (extra ``torch``).

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> log_likelihood = cf.torch_log_likelihood(fit)  # doctest: +SKIP
    >>> theta = torch.tensor([0.1, 0.0], dtype=torch.float64, requires_grad=True)  # doctest: +SKIP
    >>> log_likelihood(theta).backward()  # doctest: +SKIP
    """
    return _made("torch", "torch", "torch_log_likelihood", fit)


def pytensor_log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L as an operation of PyTensor, for PyMC.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    callable
        From a vector of PyTensor, or a sequence of its scalars, in the order of ``fit.parameters``, to the scalar
        ln L = −χ²/2, with its exact gradient. In a model of PyMC it is a ``Potential``. Nuisances that are parameters
        have their constraint in it: their priors are flat, ``pymc.Flat``.

    Raises
    ------
    ImportError
        If pytensor is missing (extra ``pymc``).

    Examples
    --------
    >>> import pymc  # doctest: +SKIP
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> with pymc.Model() as model:  # doctest: +SKIP
    ...     theta = [pymc.Uniform("C_V", -0.3, 0.3), pymc.Flat("alpha")]
    ...     pymc.Potential("CsI", cf.pytensor_log_likelihood(fit)(theta))
    ...     samples = pymc.sample()
    """
    return _made("pytensor", "pymc", "pytensor_log_likelihood", fit)


def _made(package: str, extra: str, name: str, fit: Likelihood) -> Callable[[Any], Any]:
    """The function of a module that imports the package."""
    function_of(fit)
    try:
        module = import_module(f"cevns_fast.interop.of_{package}")
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ImportError(f"{name} needs {package}: pip install 'cevns_fast[{extra}]'", name=package) from None
    made: Callable[[Any], Any] = module.log_likelihood(fit)
    return made
