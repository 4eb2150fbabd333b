"""Sources of the user's own: as given, with a snapshot of what their functions read."""

from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.experiments.snapshots import Snapshot, is_inert, snapshot
from cevns_fast.experiments.sources import FluxComponent, Source


class WatchedSource:
    """A source with the snapshot of when an experiment was made of it: another snapshot makes it another source.

    Everything else is the source's own.
    """

    def __init__(self, source: Any, taken: Snapshot) -> None:
        self.bare = source
        self.taken = taken

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("bare", "taken"):  # while it is copied
            raise AttributeError(name)
        return getattr(self.bare, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The source's own, so that `isinstance` says what the user expects."""
        return type(self.bare) if "bare" in self.__dict__ else WatchedSource

    def __reduce__(self) -> tuple[Any, ...]:
        return WatchedSource, (self.bare, self.taken)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, WatchedSource):
            return bool(self.bare == other.bare) and self.taken == other.taken
        return bool(self.bare == other)

    def __hash__(self) -> int:  # that of what it equals
        return hash(self.bare)

    def __repr__(self) -> str:
        return repr(self.bare)

    def difference(self) -> str | None:
        """What the source reads otherwise than it did."""
        now = _snapshot(self.bare)
        return "what it is" if now is None else self.taken.difference(now)


def bare(source: Any) -> Any:
    """The source as it was given."""
    return source.bare if isinstance(source, WatchedSource) else source


def watched(source: Any) -> Any:
    """A source that is remembered with what it reads, if that can change; `ValueError` for what is no source."""
    source = bare(source)
    if is_inert(source):
        _check(source)
        return source
    _look_at(source)
    taken = _snapshot(source)
    return source if taken is None else WatchedSource(source, taken)


@remember(maxsize=64)
def _check(source: Any) -> None:
    """What cannot change is looked at once."""
    _look_at(source)


def _look_at(source: Any) -> None:
    """`ValueError` for what is no source."""
    for name in ("components", "fluence_per_exposure", "exposure_unit"):
        if isinstance(source, type) or not hasattr(source, name):
            raise ValueError(
                f"source = {source!r}: must be a source, with components, fluence_per_exposure, exposure_unit"
            )
    try:
        hash(source)
    except TypeError as error:  # compiled spectra are cached by value
        raise ValueError(f"source: must be hashable, with tuples for lists: {error}") from None
    components = validate.sequence("components of the source", source.components, FluxComponent, "a FluxComponent")
    if not any(component.breakpoints or component.lines for component in components):
        raise ValueError("components of the source: at least one must have a spectrum or lines")
    validate.number("fluence_per_exposure of the source", source.fluence_per_exposure, positive=True)
    validate.text("exposure_unit of the source", source.exposure_unit)


def _snapshot(source: Source) -> Snapshot | None:
    """What a source reads now; None for those of the library, which cannot change."""
    return None if is_inert(source) else snapshot(source, lambda: _values(source))


def _values(source: Source) -> Floats:
    """Fluence, lines, breakpoints and values of the spectra."""
    found: list[Any] = [[source.fluence_per_exposure]]
    for component in source.components:
        found += [component.breakpoints, [x for line in component.lines for x in line]]
        if component.spectrum is not None:
            ends = np.array(component.breakpoints)
            inside = (ends[:-1, None] + np.diff(ends)[:, None] * (0.15, 0.4, 0.55, 0.85)).ravel()
            found.append(component.spectrum(inside[:: max(1, inside.size // 64)]))
    return np.concatenate([np.asarray(each, dtype=np.float64).ravel() for each in found])
