"""Draws the pictures that the documentation shows and git keeps: ``python docs/pictures.py``, a few minutes.

Figures are those of `cevns-fast reproduce` and other commands, of `examples/` and of what pages print, at a width for
pages and with few colours. Names of pictures after the command redraw these alone.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
from PIL import Image

from cevns_fast.cli import main

HERE = Path(__file__).parent
STATIC, EXAMPLES = HERE / "_static", HERE.parent / "examples"
WIDTH = 1100  # pixels at most: sharp at 550 on a fine screen
PAPERS = ("brdar-2018", "chang-liao-2020", "chao-2021", "data")
OF_EXAMPLES = ("all_data", "interactions")
OF_COMMANDS = {
    "cli": ("limit", "limits-coherent-csi-2017"),
    "dark-matter": ("dark-matter", "dark-matter-scalar"),
}
# Pages whose blocks are run, and the variable that then has the figure.
OF_PAGES = {"quickstart": "axes", "plotting": "figure", "statistics": "axes", "cross_section": "axes"}


def small(source: Path, target: Path) -> None:
    """A picture of the documentation from one that is made for print."""
    picture = Image.open(source).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)
    print(target.relative_to(STATIC), target.stat().st_size // 1024, "kB")


def run(*arguments: str) -> None:
    """A command of ours."""
    if main([*arguments, "-o", ".", "--force"]):
        sys.exit(f"cevns-fast {' '.join(arguments)} failed")


def explorer() -> None:
    """The explorer as a browser shows it; needs Chromium with its driver."""
    from selenium import webdriver

    if main(["explore", "-o", "explorer.html"]):
        sys.exit("cevns-fast explore failed")
    options = webdriver.ChromeOptions()
    for each in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1320,1180"):
        options.add_argument(each)
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(Path("explorer.html").absolute().as_uri())
        browser.execute_async_script("cevns.ready.then(arguments[0])")
        browser.find_element("id", "experiment-conusplus-2025").click()
        time.sleep(2)
        browser.save_screenshot("explorer.png")
    finally:
        browser.quit()
    small(Path("explorer.png"), STATIC / "explorer.png")


def draw(wanted: set[str]) -> None:
    """Make these pictures, or all, in the current folder; keep them small."""
    matplotlib.use("Agg")
    for paper in PAPERS:
        if not wanted or paper in wanted:
            run("reproduce", paper)
            for each in sorted(Path().glob("*.png")):
                small(each, STATIC / "gallery" / paper / each.name)
                each.unlink()
    for name in OF_EXAMPLES:
        if not wanted or name in wanted:
            environment = os.environ | {"MPLBACKEND": "Agg"}
            subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], env=environment, check=True)
            small(Path(f"{name}.png"), STATIC / f"{name}.png")
    for name, (command, file) in OF_COMMANDS.items():
        if not wanted or name in wanted:
            run(command)
            small(Path(f"{file}.png"), STATIC / f"{name}.png")
    if not wanted or "explorer" in wanted:
        explorer()
    for name, variable in OF_PAGES.items():
        if not wanted or name in wanted:
            namespace: dict = {}
            for block in re.findall(r"^```python\n(.*?)^```", (HERE / f"{name}.md").read_text("utf-8"), re.S | re.M):
                exec(block, namespace)
            figure = getattr(namespace[variable], "figure", namespace[variable])
            figure.savefig(f"{name}.png", dpi=150, bbox_inches="tight")
            small(Path(f"{name}.png"), STATIC / f"{name}.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        draw(set(sys.argv[1:]))
