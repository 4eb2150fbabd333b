"""The schema of an experiment's TOML file, and how its parts are built.

`msgspec` refuses missing, unknown and mistyped fields with the path of the field. Keys state their unit in their name
unless it is that of the observable. `docs/toml.md` is the reference page; a test compares the two.
"""

from cevns_fast.experiments.toml_file.read import experiment_file

__all__ = ["experiment_file"]
