"""Draws the pictures that the documentation shows and git keeps: ``python docs/pictures.py``, a few minutes.

Figures are those of `cevns-fast reproduce` and of `examples/`, at a width for pages and with few colours.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from cevns_fast.cli import main

STATIC, EXAMPLES = Path(__file__).parent / "_static", Path(__file__).parents[1] / "examples"
WIDTH = 1100  # pixels at most: sharp at 550 on a fine screen
OF_EXAMPLES = {"all_data": ("all_data.png",), "interactions": ("interactions.png",)}
KEPT = ("brdar-2018", "chang-liao-2020", "chao-2021", "data")


def small(source: Path, target: Path) -> None:
    """A picture of the documentation from one that is made for print."""
    picture = Image.open(source).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)
    print(target.relative_to(STATIC), target.stat().st_size // 1024, "kB")


def draw() -> None:
    """Make all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for arguments in (["reproduce", "--all", "-o", name], ["reproduce", "data", "-o", f"{name}/data"]):
            if main(arguments):
                sys.exit(f"cevns-fast {' '.join(arguments)} failed")
        for paper in KEPT:
            for each in sorted((folder / paper).glob("*.png")):
                small(each, STATIC / "gallery" / paper / each.name)
        for script, pictures in OF_EXAMPLES.items():
            environment = os.environ | {"MPLBACKEND": "Agg"}
            subprocess.run([sys.executable, EXAMPLES / f"{script}.py"], cwd=name, env=environment, check=True)
            for each in pictures:
                small(folder / each, STATIC / each)


if __name__ == "__main__":
    draw()
