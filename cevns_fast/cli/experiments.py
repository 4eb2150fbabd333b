"""``cevns-fast experiments``: what is built in, what its collaboration found, and what this library finds."""

import argparse

import cevns_fast as cf
from cevns_fast.constants import SIN2_THETA_W_LOW_ENERGY
from cevns_fast.inference.strength import fitted_strength

_MODEL = cf.StandardModel(sin2_theta_w=SIN2_THETA_W_LOW_ENERGY)


def run(args: argparse.Namespace) -> None:
    """List names and descriptions and, unless it shall be brief, what was found."""
    known = cf.available_experiments()
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")
        if not args.brief:
            for line in _found(cf.load(name)):
                print(f"{'':{width}}  {line}")
    if not args.brief:
        print(f"here: Standard Model with sin²θ_W = {_MODEL.sin2_theta_w}; fits with all nuisances but the signal's")


def _found(experiment: cf.Experiment) -> list[str]:
    """What the collaboration found, and what is found here."""
    lines = [f"approximate: {experiment.approximate}"] if experiment.approximate else []
    if experiment.published:
        lines.append(f"published: {experiment.published}")
    if experiment.observed is None:
        return [*lines, f"here: {cf.event_rate(experiment, _MODEL).sum():.4g} events expected, simulated data"]
    found = fitted_strength([experiment], _MODEL)
    size = f"{found.value:.3g} +{found.up:.2g} −{found.down:.2g}"
    return [*lines, f"here: {size} events, {found.expected:.4g} expected; no signal disfavoured by {found.sigma:.2g}σ"]
