"""Experiments by name or file: those that are built in are TOML files beside their tables in `data/experiments`."""

from pathlib import Path

from cevns_fast import _validate as validate
from cevns_fast.data import data_path, read_text
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.toml_file import experiment_file


def _directory() -> Path:
    """Where the built-in experiments are."""
    return data_path("experiments")


def available_experiments() -> dict[str, str]:
    """Names of the built-in experiments, each with a one-line description.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> "coherent-csi-2017" in cf.available_experiments()
    True
    """
    found = {}
    for path in sorted(_directory().glob("*.toml"), key=lambda path: path.stem):
        found[path.stem] = experiment_file(read_text(path)).description
    return found


def load(name: str | Path) -> Experiment:
    """Load an experiment.

    Parameters
    ----------
    name : str or Path
        Name of a built-in experiment, or path of a TOML file (it ends in ``.toml``); tables that the
        file names are looked for beside it.

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        If the name is unknown, or a field is missing, unknown, of the wrong kind or out of range, or a file is not
        text; the message names file and field.
    FileNotFoundError
        If a named TOML file or table does not exist.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> csi.n_bins, int(csi.observed.sum())
    (12, 142)
    """
    if not isinstance(name, str | Path):
        raise ValueError(f"name = {name!r}: must be the name of an experiment or the path of a TOML file")
    if str(name).endswith(".toml"):
        path = Path(name)
    else:
        known = sorted(p.stem for p in _directory().glob("*.toml"))
        path = _directory() / f"{validate.choice('experiment', name, known)}.toml"
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"experiment = {str(path)!r}: there is no such file") from None
    try:
        return Experiment(**experiment_file(text).build(path.parent))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path.name}: {error}") from None
