"""A likelihood for cobaya, whose parameters have names that Python can spell."""

from importlib import import_module
from typing import Any

from cevns_fast.interop.identifiers import identifiers
from cevns_fast.likelihood.likelihood import Likelihood, function_of


def cobaya_likelihood(fit: Likelihood) -> Any:
    """ln L as a class of cobaya.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    type
        A `cobaya.likelihood.Likelihood` for ``{"likelihood": {"cevns": cf.cobaya_likelihood(fit)}}``. Parameters with
        finite bounds, and nuisances, whose constraints are in ln L, have flat priors; others need one in
        ``info["params"]``. Names are those of `cobaya_names`.

    Raises
    ------
    ImportError
        If cobaya is missing (extra ``cobaya``).

    Notes
    -----
    A file of cobaya needs no Python: ``cevns_fast.interop.of_cobaya.CEvNS`` makes the fit itself, as in
    ``examples/embedding_cobaya/csi.yaml``.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> info = {
    ...     "likelihood": {"csi": cf.cobaya_likelihood(fit)},
    ...     "params": {"C_V": {"prior": {"min": -0.3, "max": 0.3}, "ref": 0.1, "proposal": 0.05}},
    ...     "sampler": {"mcmc": {"Rminus1_stop": 0.05}},
    ... }  # doctest: +SKIP
    >>> from cobaya import run  # doctest: +SKIP
    >>> updated, sampler = run(info)  # doctest: +SKIP
    """
    function_of(fit)
    try:
        module = import_module("cevns_fast.interop.of_cobaya")
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "cobaya":
            raise
        raise ImportError("cobaya_likelihood needs cobaya: pip install 'cevns_fast[cobaya]'", name="cobaya") from None
    return module.bound(fit)


def cobaya_names(fit: Likelihood) -> dict[str, str]:
    """Names of parameters that are identifiers, by our own.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    dict of str to str
        Everything but letters, digits and underscores becomes an underscore; if two names would be the same, the
        second gets a number.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi, lar = cf.load("coherent-csi-2017"), cf.load("coherent-lar-610kg")
    >>> names = ("C_V", "coherent-csi-2017: alpha", "SNS flux")
    >>> flux = cf.ScaleNuisance("SNS flux", 0.1)
    >>> fit = cf.Likelihood([csi, lar], model=cf.SingletEFT(20.0), nuisances=[flux], parameters=names)
    >>> cf.cobaya_names(fit)
    {'C_V': 'C_V', 'coherent-csi-2017: alpha': 'coherent_csi_2017_alpha', 'SNS flux': 'SNS_flux'}
    """
    function_of(fit)
    return identifiers(fit)
