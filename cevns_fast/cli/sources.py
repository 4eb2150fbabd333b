"""The experiments of the command line, with sources whose neutrinos are others on arrival if it says so."""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

import cevns_fast as cf
from cevns_fast import _validate as validate
from cevns_fast.interactions.process import FLAVOURS

_STATES = {f"{flavour}{i + 1}": (a, i) for a, flavour in enumerate(FLAVOURS) for i in range(3)}
_FLAGS = ("normalised", "from_muon_decay")
_OSCILLATED = ("delta_m2", "Ue4_sq", "Umu4_sq", "Utau4_sq", "distance")


def loaded(args: argparse.Namespace) -> list[cf.Experiment]:
    """Those that are named; `ValueError` if a source cannot be what is asked for."""
    names = [args.experiment] if isinstance(args.experiment, str) else args.experiment
    experiments = [_changed(cf.load(name), args) for name in names]
    if args.model == "electron" and not any(each.detector.electron_response for each in experiments):
        stated = ", ".join(each.name for each in experiments)
        raise ValueError(f"--model electron: {stated}: counts nuclei only; must have an electron_response in its file")
    return experiments


def about(args: argparse.Namespace) -> dict[str, str]:
    """What became of the neutrinos, for those who read the numbers later."""
    options = {"sterile neutrino": args.sterile, "mixing that is not unitary": args.non_unitary}
    return {what: _in_words(given) for what, given in options.items() if given is not None}


def _in_words(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _changed(experiment: cf.Experiment, args: argparse.Namespace) -> cf.Experiment:
    """The experiment with the source that the options make of its own."""
    source = experiment.source
    if args.sterile is not None and args.non_unitary is not None:
        raise ValueError("--sterile: must be left out beside --non-unitary, which has the sterile neutrinos' mixing")
    if args.sterile is not None:
        validate.unknown_fields("--sterile", args.sterile, _OSCILLATED)
        if "delta_m2" not in args.sterile:
            raise ValueError("--sterile: must give delta_m2, e.g. delta_m2=1,Ue4_sq=0.1")
        source = cf.OscillatedSource(source, **args.sterile)
    if args.non_unitary is not None:
        validate.unknown_fields("--non-unitary", args.non_unitary, (*_STATES, *_FLAGS))
        mixing = np.eye(3, dtype=np.complex128)
        for name, place in _STATES.items():
            mixing[place] = validate.coupling(name, args.non_unitary.get(name, mixing[place]))
        flags = {name: args.non_unitary[name] for name in _FLAGS if name in args.non_unitary}
        source = cf.NonUnitarySource(source, mixing, **flags)
    return experiment if source is experiment.source else experiment.replace(source=source)
