"""``cevns-fast popxf``: counts as polynomials, and the data, for global fits."""

import argparse
import json
import re
from pathlib import Path

import cevns_fast as cf
from cevns_fast._support import files
from cevns_fast.cli import outputs
from cevns_fast.cli.models import fixed_fields, interaction, kind_of


def run(args: argparse.Namespace) -> None:
    """Write both files, and say what their parameters and observables are."""
    experiments = [cf.load(name) for name in args.experiment]
    couplings = args.couplings or kind_of(args.model).default_couplings
    given = fixed_fields(args.model, args.parameters, outputs.options(args), without=couplings)
    stem = re.sub(r"[^\w.+=-]", "_", f"{args.model}-{'+'.join(e.name for e in experiments)}")
    paths = tuple(Path(args.output) / f"{kind}-{stem}.json" for kind in ("popxf", "measurements"))
    files.refuse_existing(paths, overwrite=args.force)
    predictions = cf.popxf_predictions(
        experiments, interaction(args.model, given), couplings,
        complex_couplings=args.complex, basis=args.basis, uncertainties=args.uncertainties,
    )  # fmt: skip
    contents = (predictions, cf.popxf_measurements(experiments))
    texts = (json.dumps(each, indent=1, ensure_ascii=False) + "\n" for each in contents)
    files.write(dict(zip(paths, texts, strict=True)), overwrite=args.force)
    metadata = predictions["metadata"]
    print(f"parameters: {', '.join(metadata['parameters'])}")
    print(f"observables: {len(metadata['observable_names'])} bins, {metadata['observable_names'][0]} ...")
    print("written: " + ", ".join(map(str, paths)))
