"""``cevns-fast experiments``: what is built in, what its collaboration found, and what this library finds."""

import argparse

import cevns_fast as cf
from cevns_fast.inference.strength import fitted_strength

# At q² → 0, where these experiments are.
_MODEL = cf.StandardModel(sin2_theta_w=cf.constants.SIN2_THETA_W_LOW_ENERGY)


def run(args: argparse.Namespace) -> None:
    """List names and descriptions; of one that is named, or with ``--all``, what was found in it."""
    known = cf.available_experiments()
    if args.experiment is None and not args.all:
        width = max(map(len, known))
        for name, description in known.items():
            print(f"{name:{width}}  {description}")
        return
    for name in known if args.all else [args.experiment]:
        print(_described(cf.load(name)))


def _described(experiment: cf.Experiment) -> str:
    """A few lines on one experiment."""
    lines = [experiment.name, f"  {experiment.description}"]
    if experiment.citation:
        lines.append(f"  {experiment.citation}")
    if experiment.approximate:
        lines.append(f"  approximate: {experiment.approximate}")
    if experiment.published:
        lines.append(f"  published: {experiment.published}")
    expected = cf.event_rate(experiment, _MODEL).sum()
    here = f"  here: {expected:.4g} events expected for sin²θ_W = {_MODEL.sin2_theta_w}"
    if experiment.observed is not None:
        found = fitted_strength([experiment], _MODEL)
        here += f", {found.value:.3g} +{found.up:.2g} −{found.down:.2g} of that found, no signal disfavoured by {found.sigma:.1f}σ"
    return "\n".join([*lines, here])
