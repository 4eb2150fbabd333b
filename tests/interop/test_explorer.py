"""The explorer: its WebAssembly finds Python's numbers, its page is whole, and a browser draws and moves it."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata, util
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast import cli
from cevns_fast.cli.models import EXPLORED, kind_of
from cevns_fast.likelihood.likelihood import function_of
from cevns_fast.output import explorer
from cevns_fast.output.explorer.choices import CHOICES, choice_of
from cevns_fast.output.explorer.fits import groups_of, likelihood_of
from cevns_fast.output.explorer.numbers import decoded, encoded
from cevns_fast.output.explorer.page import SCRIPTS, explorer_page

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(explorer.__path__[0])
WASM = FOLDER / "likelihood.wasm"
ACCURACY = 1e-12


def experiments():
    """Two that are quick, and share no data."""
    return [cf.load("coherent-csi-2017"), cf.load("conus-4kg")]


# --- the WebAssembly ----------------------------------------------------------------------------------


class Module:
    """The module in wasmtime, a runtime without a browser; memory is copied in and out."""

    def __init__(self):
        wasmtime = pytest.importorskip("wasmtime")
        self.ctypes = pytest.importorskip("ctypes")
        self.store = wasmtime.Store()
        module = wasmtime.Module.from_file(self.store.engine, str(WASM))
        self.imports = [each.name for each in module.imports]
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)

    def call(self, name, *arguments):
        return self.exports[name](self.store, *arguments)

    def given(self, values, kind="<f8"):
        data = np.asarray(values, dtype=kind).tobytes()
        at = self.call("malloc", max(len(data), 8))
        self.exports["memory"].write(self.store, data, at)
        return at

    def found(self, at, count):
        return np.frombuffer(self.exports["memory"].read(self.store, at, at + 8 * count), dtype="<f8").copy()


@pytest.fixture(scope="module")
def wasm():
    return Module()


def points(fit, n=40):
    """Points inside the bounds, near where the data have an opinion."""
    random = np.random.default_rng(5)
    thetas = random.uniform(-1.0, 1.0, (n, len(fit.parameters)))
    for j, p in enumerate(fit.parameters):
        if np.isfinite(p.upper):
            thetas[:, j] = p.lower + (p.upper - p.lower) * np.abs(thetas[:, j])
        else:
            thetas[:, j] *= {"C_S": 0.02, "a_M": 5e-4, "y_bar": 2e-4, "g": 1e-4}.get(p.name, 0.2)
    return thetas


def same_counts(found, fit, theta):
    """To 1e-12, and where a bin is nearly empty to as much of the fullest one."""
    expected = np.concatenate(fit.counts(theta))
    np.testing.assert_allclose(found, expected, rtol=ACCURACY, atol=ACCURACY * expected.max())


@pytest.mark.parametrize(
    ("kind", "step"), [(cf.SingletEFT, None), (cf.ScalarMediator, 30.0), (cf.LightVector, None), (cf.NSI, None)]
)
def test_the_module_finds_pythons_numbers(wasm, kind, step):
    fit = likelihood_of(experiments(), choice_of(kind), step)
    numbers = decoded(encoded(function_of(fit).compressible()))
    n, thetas = len(fit.parameters), points(fit)
    handle = wasm.call("cevns_fast_create", wasm.given(numbers), numbers.size)
    assert handle
    out, many = wasm.given(np.zeros(len(thetas))), wasm.given(thetas)
    wasm.call("cevns_fast_chi2_batch", handle, many, len(thetas), n, out)
    np.testing.assert_allclose(wasm.found(out, len(thetas)), fit.batch(thetas), rtol=ACCURACY)
    bins, nuisances = wasm.call("cevns_fast_bins", handle), len(fit.nuisance_names)
    signal, expectation, pulls = (wasm.given(np.zeros(size)) for size in (bins, bins, nuisances))
    for theta in thetas[:5]:
        at = wasm.given(theta)
        assert wasm.call("cevns_fast_chi2", handle, at, n, 0) == pytest.approx(fit(theta), rel=ACCURACY)
        wasm.call("cevns_fast_counts", handle, at, n, signal, expectation)
        same_counts(wasm.found(signal, bins), fit, theta)
        wasm.call("cevns_fast_pulls", handle, at, n, pulls)
        np.testing.assert_allclose(wasm.found(pulls, nuisances), list(fit.pulls(theta).values()), atol=1e-11)
    # the first experiment alone, its signal known half as well
    csi = experiments()[0]
    alone = likelihood_of([csi.replace(signal_uncertainty=2 * csi.signal_uncertainty)], choice_of(kind), step)
    widths = [2.0 if name.endswith("csi-2017: alpha") else 1.0 for name in fit.nuisance_names]
    assert widths.count(2.0) == 1
    variant = wasm.call("cevns_fast_variant", handle, wasm.given([1, 0], "<i4"), wasm.given(widths))
    for theta in points(alone)[:5]:
        value = wasm.call("cevns_fast_chi2", variant, wasm.given(theta), n, 0)
        assert value == pytest.approx(alone(theta), rel=ACCURACY)


def test_the_module_needs_nothing_of_its_host(wasm):
    assert wasm.imports == []


def test_the_module_is_of_these_sources():
    spec = util.spec_from_file_location("build_wasm", ROOT / "setup_helpers" / "build_wasm.py")
    build_wasm = util.module_from_spec(spec)
    spec.loader.exec_module(build_wasm)
    assert build_wasm.digest() in WASM.read_bytes(), "likelihood*.c has changed: run setup_helpers/build_wasm.py"


@pytest.mark.slow
def test_the_module_is_what_the_sources_make():
    if util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed; .ci/cross-compile checks this")
    script = ROOT / "setup_helpers" / "build_wasm.py"
    pinned = re.search(r'ZIGLANG = "(.*)"', script.read_text("utf-8"))[1]
    if metadata.version("ziglang") != pinned:
        pytest.skip(f"ziglang is not {pinned}")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the page -----------------------------------------------------------------------------------------


def test_numbers_come_back_bit_by_bit():
    numbers = np.random.default_rng(1).normal(size=1001) * 10.0 ** np.arange(-500, 501).clip(-300, 300)
    numbers[:4] = [0.0, -0.0, np.inf, 5e-324]
    assert decoded(encoded(numbers)).tobytes() == numbers.tobytes()
    assert encoded(numbers) == encoded(numbers.copy())


def test_rounding_changes_counts_by_no_more_than_their_last_digits():
    fit = likelihood_of([cf.load("coherent-csi-2017")], choice_of(cf.SingletEFT))
    function = function_of(fit)
    (before,) = (s.coefficients for s in function.systems()[1])
    size, after = before.size, function.compressible()
    kept = after[-size:].reshape(before.shape)  # the coefficients are the last of a block
    assert (kept != before).any()
    largest = np.abs(before).max(axis=(1, 4), keepdims=True)
    assert (np.abs(kept - before) <= 2.0**-48 * largest).all()


def described(page):
    """What the page knows."""
    return json.loads(re.search(r'<script type="application/json" id="described">(.*?)</script>', page, re.DOTALL)[1])


def test_a_page_holds_everything_and_asks_for_nothing():
    page = explorer_page(experiments(), [choice_of(cf.NSI), choice_of(cf.ScalarMediator, {"m_S": (3.0, 30.0)})])
    without = re.sub(r'<script type="(application/json|text/plain)".*?</script>', "", page, flags=re.DOTALL)
    assert re.findall(r"(?:src|href)\s*=", without) == []
    assert set(re.findall(r"\w+://[^\"' ]*", without)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert re.search(r"\b(fetch|XMLHttpRequest|import\(|eval|innerHTML)", "".join(map(read_script, SCRIPTS))) is None
    assert "default-src 'none'" in page
    known = described(page)
    assert [each["name"] for each in known["experiments"]] == ["coherent-csi-2017", "conus-4kg"]
    scalar = known["models"][1]
    assert scalar["stepped"]["values"] == [3.0, 30.0] and len(scalar["groups"][0]["blocks"]) == 2
    assert [each["name"] for each in scalar["parameters"]] == ["m_chi", "y_bar"]
    assert known["models"][0]["groups"][0]["nuisances"][0]["acts"] == [True, False]


def read_script(name):
    """A script, less what it says."""
    text = (FOLDER / name).read_text("utf-8")
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


def test_names_are_no_markup():
    nasty = '</script><script>alert(1)</script>&amp;"'
    page = explorer_page([cf.load("coherent-csi-2017").replace(name=nasty, approximate="<b>&")], [choice_of(cf.NSI)])
    assert nasty not in page and "<b>&" not in page
    assert described(page)["experiments"][0]["name"] == nasty
    assert page.count("</script>") == 3


def test_the_same_page_twice():
    assert explorer_page(experiments(), [choice_of(cf.NSI)]) == explorer_page(experiments(), [choice_of(cf.NSI)])


def test_what_holds_the_same_data_is_apart():
    names = ("coherent-csi-2017", "coherent-csi-2021", "conus-4kg", "coherent-csi-2017-time")
    assert groups_of([cf.load(name) for name in names]) == [[0, 2], [1], [3]]


def test_all_groups_have_one_range_of_the_mass():
    csi = cf.load("coherent-csi-2017")
    light = cf.load("conus-4kg").replace(data_set="part", name="part")
    heavy = csi.replace(name="whole", data_set="whole", contains=("part",))
    choice = choice_of(cf.ScalarMediator, {"m_S": 10.0})
    known = described(explorer_page([light, heavy], [choice]))["models"][0]
    assert [group["experiments"] for group in known["groups"]] == [[0], [1]]
    upper = known["parameters"][0]["upper"]
    assert upper == likelihood_of([csi], choice, 10.0).parameters[0].upper > 50.0
    numbers = decoded(known["groups"][0]["blocks"][0])
    assert numbers[6 + 2 : 6 + 3] == upper  # of the lighter group; two lower bounds come before


def test_the_command_line_knows_what_can_be_opened():
    assert {kind_of(name) for name in EXPLORED} == set(CHOICES)


@pytest.mark.parametrize("kind", CHOICES, ids=lambda kind: kind.__name__)
def test_each_interaction_can_be_opened(kind):
    choice = choice_of(kind, {"m_S": 10.0} if kind is cf.ScalarMediator else None)
    assert len(choice.parameters) >= 2
    fit = likelihood_of([cf.load("coherent-csi-2017")], choice, choice.steps[0] if choice.steps else None)
    assert np.isfinite(fit([p.default for p in fit.parameters]))


def test_what_is_given_stays():
    choice = choice_of(cf.SingletEFT, {"C_T": 0.1, "helicity": "left"})
    assert choice.parameters == ("m_chi", "C_S", "C_V", "a_M")
    assert choice.settings() == {"C_T": "0.1", "helicity": "left", "variant": "corrected"}
    assert likelihood_of(experiments()[:1], choice)([10.0, 0.0, 0.0, 0.0]) > 2.9
    assert choice_of(cf.SingletEFT, {"m_chi": 10.0}).mass == ""


def test_a_mediator_is_continuous_where_chi_stays():
    choice = choice_of(cf.ScalarMediator, {"m_chi": 5.0})
    assert choice.parameters == ("m_S", "y_bar") and choice.steps == ()
    theta = [20.0, 1e-4]
    scalar = cf.ScalarMediator(m_chi=5.0, m_S=theta[0], y_bar=theta[1])
    expected = cf.Likelihood(experiments()[0]).chi2(scalar)
    assert likelihood_of(experiments()[:1], choice)(theta) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (cf.NSI, {"eps": 1.0}, "eps"),
        (cf.ScalarMediator, {"m_S": -1.0}, "m_S"),
        (cf.ScalarMediator, {"m_chi": 1.0, "m_S": 5.0}, "fewer than two"),
        (cf.ElectronEFT, {}, "kind = 'ElectronEFT'"),
    ],
)
def test_what_is_refused(kind, given, message):
    with pytest.raises(ValueError, match=message):
        choice_of(kind, given)


def test_nothing_to_show_is_refused():
    for those, choices in (([], [choice_of(cf.NSI)]), (experiments(), [])):
        with pytest.raises(ValueError, match="must hold at least one each"):
            explorer_page(those, choices)
    with pytest.raises(ValueError, match="coherent-csi-2017"):
        explorer_page(experiments()[:1] * 2, [choice_of(cf.NSI)])


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["explore", "-e", "coherent-csi-2017", "--model", "light-vector", "charges=B-L"]
    assert cli.main(command) == 0
    assert "written: explorer.html" in capsys.readouterr().out
    assert described(Path("explorer.html").read_text("utf-8"))["models"][0]["settings"] == {"charges": "B-L"}
    assert cli.main(command) == 2 and "explorer.html exists" in capsys.readouterr().err
    assert cli.main([*command, "--force"]) == 0
    for wrong, message in (
        (["--model", "nsi", "light-vector", "charges=B-L"], "must name one"),
        (["--model", "nsi", "nse"], "must be one of"),
        (["-o", "."], "is a folder"),
        (["--model", "nsi", "eps_ee_u=0", "eps_ee_u=0"], "given once"),
    ):
        assert cli.main(["explore", "-o", "new.html", *wrong]) == 2
        assert message in capsys.readouterr().err


# --- the contours, in node ----------------------------------------------------------------------------


def in_node(code):
    """What JavaScript prints as JSON, after the page's scripts that need no document."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    parts = [(FOLDER / name).read_text("utf-8") for name in ("contours.js", "drawing.js")]
    done = subprocess.run([node, "-e", "\n".join([*parts, code])], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_contours_of_a_circle_a_saddle_and_nothing():
    lines = in_node(
        """
        const n = 41, of = (f) => Float64Array.from({length: n * n}, (_, k) => f(k % n - 20, Math.floor(k / n) - 20));
        const rings = [of((x, y) => x * x + y * y), of((x, y) => x * y), of(() => 1),
                       of((x, y) => Math.min((x - 8) ** 2, (x + 8) ** 2) + y * y)];
        console.log(JSON.stringify(rings.map((values) => contoursOf(values, n, n, 50.5))));
        """
    )
    circle, saddle, nothing, two = lines
    assert len(circle) == 1 and circle[0][0] == circle[0][-1]
    radii = np.hypot(*(np.array(circle[0]).T - 20))
    np.testing.assert_allclose(radii, np.sqrt(50.5), rtol=5e-3)
    assert len(saddle) == 2 and all(line[0] != line[-1] for line in saddle)
    for line in saddle:
        x, y = np.array(line).T - 20
        np.testing.assert_allclose(x * y, 50.5, rtol=0.05)
    assert nothing == [] and len(two) == 2


def test_numbers_and_ticks_are_written_as_in_print():
    texts, linear, power, decades = in_node(
        """
        const ticks = (...scale) => new Scale(...scale, 0, 1).ticks();
        console.log(JSON.stringify([[0, 0.25, -3e-4, 1e-5, 123456, Infinity].map((x) => numberText(x)),
          ticks(-1, 1, false), ticks(-3e-4, 3e-4, false), ticks(0.1, 50, true)]));
        """
    )
    assert texts == ["0", "0.25", "−3×10⁻⁴", "10⁻⁵", "1.23×10⁵", "∞"]
    assert [t["text"] for t in linear["ticks"]] == ["−1.0", "−0.5", "0", "0.5", "1.0"] and linear["exponent"] == 0
    assert power["exponent"] == -4 and {"0", "2", "−2"} <= {t["text"] for t in power["ticks"]}
    assert [t["text"] for t in decades["ticks"] if t["text"]] == ["0.1", "1", "10"]


# --- a browser ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    selenium = pytest.importorskip("selenium")
    paths = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    binary, driver = next(filter(None, paths), None), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = binary
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1360,900"):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    assert selenium.__version__
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_script_timeout(120)
    yield started
    with contextlib.suppress(OSError):
        started.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a continuous mass, a stepped one, and none."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    choices = [choice_of(cf.SingletEFT), choice_of(cf.ScalarMediator, {"m_S": (10.0, 30.0, 100.0)}), choice_of(cf.NSI)]
    path.write_text(explorer_page(experiments(), choices), "utf-8")
    return path


def opened(browser, page):
    browser.get(page.as_uri())
    ready = "const done = arguments[0]; cevns.ready.then(done, (error) => done(String(error)))"
    assert browser.execute_async_script(ready) is True
    settle(browser)


def settle(browser):
    """Until what was chosen is open, and what was moved has been drawn."""
    browser.execute_async_script(
        "const done = arguments[0], drawn = () => requestAnimationFrame(() => requestAnimationFrame(done));"
        "cevns.idle().then(() => setTimeout(drawn, 300))"
    )


def number(browser, script):
    """A result with all its digits."""
    return json.loads(browser.execute_script(f"return JSON.stringify({script})"))


def choose(browser, select, text):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element(By.ID, select)).select_by_visible_text(text)
    settle(browser)


def drag(browser, element, part):
    """The thumb of a slider, by the mouse, by a part of the slider's width."""
    from selenium.webdriver.common.action_chains import ActionChains

    width = element.size["width"]
    at = (int(element.get_attribute("value")) / int(element.get_attribute("max")) - 0.5) * (width - 16)
    actions = ActionChains(browser).move_to_element_with_offset(element, int(at), 0).click_and_hold()
    for _ in range(4):
        actions.move_by_offset(int(part * width / 4), 0)
    actions.release().perform()
    settle(browser)


def test_a_slider_is_dragged_and_numbers_are_pythons(browser, page, tmp_path):
    from selenium.webdriver.common.by import By

    opened(browser, page)
    before, contour = number(browser, "cevns.state.theta"), path_of_contour(browser)
    fit = likelihood_of([experiments()[0]], choice_of(cf.SingletEFT))
    assert number(browser, "cevns.parameters()") == [p.name for p in fit.parameters]
    compare(browser, fit)
    drag(browser, browser.find_element(By.ID, "parameter-C_V"), 0.2)
    after = number(browser, "cevns.state.theta")
    assert after[2] > 0 and after[:2] == before[:2]
    assert path_of_contour(browser) != contour  # the contours followed
    compare(browser, fit)
    drag(browser, browser.find_element(By.ID, "parameter-m_chi"), -0.15)
    assert number(browser, "cevns.state.theta[0]") < before[0]
    compare(browser, fit)
    picture = browser.get_screenshot_as_png()
    (tmp_path / "explorer.png").write_bytes(picture)
    assert len(picture) > 20_000
    assert number(browser, "performance.getEntriesByType('resource').length") == 0
    assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []


def path_of_contour(browser):
    return browser.execute_script("return document.querySelector('#plane path[data-delta]').getAttribute('d')")


def compare(browser, fit):
    """χ², counts and the plane's values and minimum with Python's."""
    theta = number(browser, "cevns.state.theta")
    assert number(browser, "cevns.chi2()") == pytest.approx(fit(theta), rel=ACCURACY, abs=ACCURACY)
    found = number(browser, "cevns.counts()")
    same_counts(found["signal"], fit, theta)
    plane, axes, ranges = (number(browser, f"cevns.{each}") for each in ("plane()", "state.axes", "state.ranges"))
    n, grid = plane["points"], np.array(plane["grid"])
    logs = [browser.execute_script("return isLog(arguments[0])", i) for i in axes]
    lines = [(np.geomspace if log else np.linspace)(*ranges[i], n) for i, log in zip(axes, logs, strict=True)]
    thetas = np.tile(np.array(theta, dtype=float), (n * n, 1))
    thetas[:, axes[0]], thetas[:, axes[1]] = np.tile(lines[0], n), np.repeat(lines[1], n)
    near = grid < grid.min() + 50  # exp and log differ in their last digits, which large slopes show
    np.testing.assert_allclose(grid[near], fit.batch(thetas)[near], rtol=1e-9, atol=ACCURACY)
    best = plane["best"]
    assert best["chi2"] <= grid.min() and best["chi2"] == pytest.approx(fit(best["theta"]), rel=ACCURACY, abs=ACCURACY)


def test_python_that_is_shown_gives_the_same_number(browser, page):
    opened(browser, page)
    for interaction in ("Singlet fermion χ: effective couplings", "Singlet fermion χ: scalar mediator S"):
        choose(browser, "interaction", interaction)
        namespace = {}
        exec(browser.execute_script("return document.getElementById('python').textContent"), namespace)
        assert number(browser, "cevns.chi2()") == pytest.approx(namespace["chi2"], rel=ACCURACY)


@pytest.mark.slow
def test_widths_experiments_and_a_stepped_mass(browser, page):
    from selenium.webdriver.common.by import By

    opened(browser, page)
    csi, conus = experiments()
    ranges = browser.find_elements(By.CSS_SELECTOR, "#nuisances input[type=range]")
    (width,) = (each for each in ranges if "signal normalisation, coherent-csi-2017" in each.accessible_name)
    drag(browser, width, 0.15)
    k = width.get_attribute("id").removeprefix("width-")
    wider = number(browser, f"cevns.state.widths[{k}]")
    assert wider > 1.5
    changed = csi.replace(signal_uncertainty=csi.signal_uncertainty * wider)
    compare(browser, likelihood_of([changed], choice_of(cf.SingletEFT)))
    browser.find_element(By.ID, "experiment-conus-4kg").click()
    settle(browser)
    assert number(browser, "cevns.experiments()") == ["coherent-csi-2017", "conus-4kg"]
    compare(browser, likelihood_of([changed, conus], choice_of(cf.SingletEFT)))
    browser.find_element(By.ID, "experiment-coherent-csi-2017").click()
    settle(browser)
    choose(browser, "interaction", "Singlet fermion χ: scalar mediator S")
    drag(browser, browser.find_element(By.ID, "stepped"), 0.5)
    time.sleep(0.3)
    assert number(browser, "cevns.state.step") == 2 and number(browser, "cevns.experiments()") == ["conus-4kg"]
    heaviest = number(browser, "modelNow().parameters[0].upper")  # of both experiments
    compare(browser, likelihood_of([conus], replace(choice_of(cf.ScalarMediator), bounds=(0.0, heaviest)), 100.0))
    choose(browser, "interaction", "Non-standard interactions")
    compare(browser, likelihood_of([conus], choice_of(cf.NSI)))


def test_contours_are_where_delta_chi2_is_what_they_say(browser, page):
    opened(browser, page)
    choose(browser, "x-axis", "C_S")
    found = number(
        browser,
        """[...document.querySelectorAll('#plane path[data-delta]')].map((path) => {
          const [x, y] = scalesNow(), total = path.getTotalLength();
          return {delta: Number(path.dataset.delta), points: Array.from({length: 25}, (_, i) => {
            const {x: a, y: b} = path.getPointAtLength(total * i / 25);
            const theta = Array.from(state.theta);
            theta[state.axes[0]] = x.inverse(a); theta[state.axes[1]] = y.inverse(b);
            return likelihood.chi2(theta) - plane.best.chi2;
          })};
        })""",
    )
    assert [round(each["delta"], 3) for each in found] == [2.279, 4.605, 5.991]
    for each in found:
        np.testing.assert_allclose(each["points"], each["delta"], rtol=0.03)


def test_keys_move_a_slider_and_labels_name_it(browser, page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, page)
    slider = browser.find_element(By.ID, "parameter-C_S")
    assert "C_S" in slider.accessible_name
    slider.send_keys(Keys.ARROW_RIGHT * 3)
    settle(browser)
    assert number(browser, "cevns.state.theta[1]") > 0
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('input, select, button')].filter((each) => "
        "!each.labels?.length && !each.getAttribute('aria-label') && !each.textContent.trim()).length"
    )
    assert unnamed == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1360])
def test_nothing_is_wider_than_the_window(browser, page, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    try:
        opened(browser, page)
        assert number(browser, "document.documentElement.scrollWidth") <= width
        assert number(browser, "document.querySelector('#plane svg').getBoundingClientRect().width") > 0.25 * width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
