"""Experiments: the built-in one, a user's own TOML file, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import slow_twin

import cevns_fast as cf

TOML = """\
name = "mine"
description = "An experiment of one's own"
exposure_protons_on_target = 1e23

[source]
type = "pion-decay-at-rest"
distance_m = 25.0

[detector]
material = "NaI"
composition = { Na = 1, I = 1 }
mass_kg = 100.0
bins = [4, 8, 16]

[detector.response]
observable = "photoelectrons"
light_yield_per_keV = 2.0
quenching = 0.5
acceptance = 0.8

[data]
table = "mine.csv"

[[background]]
name = "neutrons"
column = "neutrons"
uncertainty = 0.2

[uncertainty]
signal = 0.1
"""
CSV = """\
# counts
low,high,observed,steady_state,neutrons
4,8,30,10,2.5
8,16,20,5,1.5
"""


@pytest.fixture
def mine(tmp_path):
    """A function that writes the files, changed here and there, and loads them."""

    def write(*changes, csv=CSV, **extra):
        toml = TOML
        for old, new in changes:
            assert old in toml
            toml = toml.replace(old, new)
        (tmp_path / "mine.toml").write_text(toml)
        (tmp_path / "mine.csv").write_text(csv)
        for name, text in extra.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return cf.load(tmp_path / "mine.toml")

    return write


# --- built in -------------------------------------------------------------------------------------


def test_built_in_experiments_load():
    available = cf.available_experiments()
    assert "coherent-csi-2017" in available
    for name, description in available.items():
        experiment = cf.load(name)
        assert experiment.name == name
        assert experiment.description == description
        assert "\n" not in description
        assert experiment.citation


def test_coherent_csi_2017(csi):
    """CONVENTIONS, 8."""
    assert csi.detector.bins == tuple(range(6, 31, 2))
    assert csi.detector.mass == 14.57
    assert csi.source.distance == 19.3
    assert csi.exposure == 1.76e23
    assert csi.signal_uncertainty == 0.28
    assert csi.steady_state.sum() == 405
    assert csi.observed.sum() == 547 - 405
    (background,) = csi.backgrounds
    assert background.uncertainty == 0.25
    assert background.counts.sum() == pytest.approx(5.42, abs=0.01)
    assert csi.detector.response.acceptance == cf.LogisticAcceptance(0.6655, 0.4942, 10.8507, 5.0)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"experiment = 'coherent-csi-217': did you mean 'coherent-csi-2017'\?"):
        cf.load("coherent-csi-217")
    with pytest.raises(ValueError, match="name = 3: must be the name of an experiment or the path"):
        cf.load(3)
    with pytest.raises(FileNotFoundError, match="no-such"):
        cf.load("no-such.toml")


def test_immutable(csi):
    with pytest.raises(dataclasses.FrozenInstanceError):
        csi.exposure = 1.0
    for array in (csi.observed, csi.steady_state, csi.backgrounds[0].counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


# --- replace --------------------------------------------------------------------------------------


def test_replace(csi):
    other = csi.replace(exposure=3.52e23, mass=29.14, signal_uncertainty=0.0)
    assert (csi.exposure, csi.detector.mass) == (1.76e23, 14.57)
    assert (other.exposure, other.detector.mass, other.signal_uncertainty) == (3.52e23, 29.14, 0.0)
    np.testing.assert_allclose(
        cf.event_rate(other, cf.StandardModel()), 4 * cf.event_rate(csi, cf.StandardModel()), rtol=1e-13
    )


def test_replace_bins_and_data_together(csi):
    two = csi.replace(bins=(6, 18, 30), observed=[100, 42], steady_state=[254, 151], backgrounds=())
    one_by_one = cf.event_rate(csi, cf.StandardModel())
    assert cf.event_rate(two, cf.StandardModel()) == pytest.approx([one_by_one[:6].sum(), one_by_one[6:].sum()])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mas": 3.0}, "must be one of 'name', 'source', 'detector', 'exposure', 'observed', 'steady_state', "),
        ({"exposur": 1.0}, r"experiment: unknown field 'exposur'; did you mean 'exposure'\?"),
        ({"exposure": -1.0}, r"exposure = -1.0: must be a finite number > 0"),
        ({"exposure": math.nan}, r"exposure = nan"),
        ({"mass": 0.0}, r"mass = 0.0: must be a finite number > 0"),
        ({"signal_uncertainty": -0.1}, r"signal_uncertainty = -0.1"),
        ({"signal_uncertainty": True}, r"signal_uncertainty = True"),
        ({"shape_uncertainty": math.inf}, r"shape_uncertainty = inf"),
        ({"steady_state_weight": -1.0}, r"steady_state_weight = -1.0"),
        ({"signal_uncertainty_on": "standard-model"}, r"signal_uncertainty_on = .*did you mean 'standard_model'\?"),
        ({"variance": "predicted"}, r"variance = 'predicted': did you mean 'prediction'\?"),
        ({"observed": [1.0, 2.0]}, r"observed: has 2 entries, must have 12"),
        ({"observed": np.full(12, np.nan)}, r"observed = .*nan.*must be finite"),
        ({"steady_state": np.full(12, -1.0)}, r"steady_state = .*-1.*must be finite and >= 0"),
        ({"bins": (6, 8)}, r"observed: has 12 entries, must have 1"),
        ({"bins": (8, 6)}, r"bins = \[8.0, 6.0\]"),
        ({"backgrounds": (cf.Background("b", [1.0], 0.1),)}, r"background 'b': has 1 entries, must have 12"),
        ({"steady_state": cf.BackgroundRate(1.0)}, r"steady_state: a rate per day needs a source"),
    ],
)
def test_replace_refuses(csi, changes, message):
    with pytest.raises(ValueError, match=message):
        csi.replace(**changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cf.Background("b", [-1.0], 0.1), r"background 'b' = .*-1.0"),
        (lambda: cf.Background("b", [[1.0]], 0.1), r"background 'b': has shape \(1, 1\)"),
        (lambda: cf.Background("b", [1.0], -0.1), r"uncertainty of 'b' = -0.1"),
        (lambda: cf.BackgroundRate(-1.0), r"per_day_keV_kg = -1.0"),
        (lambda: cf.StandardModelFraction(math.nan), r"fraction = nan"),
    ],
)
def test_backgrounds_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_steady_states_that_are_computed(bare, source):
    component = cf.FluxComponent("n", False, np.ones_like, (1.0, 50.0))
    experiment = bare((2.0, 3.0, 6.0), source=source(component), exposure=10.0, light_yield=1.0)
    rated = experiment.replace(steady_state=cf.BackgroundRate(0.5))
    assert rated.steady_state_counts(np.zeros(2)) == pytest.approx(np.array([1, 3]) * 0.5 * 10 * 14.57)
    fraction = experiment.replace(steady_state=cf.StandardModelFraction(0.25))
    assert fraction.steady_state_counts(np.array([10.0, 30.0])) == pytest.approx([2.5, 7.5])


# --- a user's own file ----------------------------------------------------------------------------


def test_a_users_own_file(mine):
    experiment = mine()
    assert experiment.name == "mine"
    assert experiment.detector.bins == (4.0, 8.0, 16.0)
    assert [n.name for n in experiment.detector.target.nuclides] == ["Na23", "I127"]
    assert experiment.observed.tolist() == [30, 20]
    assert experiment.steady_state.tolist() == [10, 5]
    assert experiment.backgrounds[0].counts.tolist() == [2.5, 1.5]
    assert experiment.signal_uncertainty == 0.1
    counts = cf.event_rate(experiment, cf.StandardModel())
    assert counts == pytest.approx(slow_twin.event_rate(experiment, cf.StandardModel()), rel=1e-12)
    assert np.isfinite(cf.Likelihood(experiment).chi2(cf.StandardModel()))
    assert np.isfinite(cf.limit_scan(experiment, cf.SingletEFT(10.0), "C_V").upper[0])


def test_the_same_by_path_and_by_string(mine, tmp_path):
    first, second = mine(), cf.load(str(tmp_path / "mine.toml"))
    assert first.detector == second.detector


def test_coincidence_and_anticoincidence(mine):
    csv = CSV.replace("observed,steady_state", "coincidence,anticoincidence")
    experiment = mine(csv=csv)
    assert experiment.observed.tolist() == [20, 15]
    assert experiment.steady_state.tolist() == [10, 5]


def test_without_a_steady_state(mine):
    csv = "low,high,observed,neutrons\n4,8,30,2.5\n8,16,20,1.5\n"
    assert mine(csv=csv).steady_state.tolist() == [0, 0]


def test_acceptance_and_quenching_tables(mine):
    experiment = mine(
        (
            "acceptance = 0.8",
            'acceptance = { type = "table", file = "acceptance.csv", x_column = "pe", value_column = "value" }',
        ),
        (
            "quenching = 0.5",
            'quenching = { type = "table", file = "q.csv", energy_column = "keV", energy_unit = "keV", '
            'value_column = "Q" }',
        ),
        acceptance="pe,value\n0,0.0\n6,0.5\n20,1.0\n",
        q="# measured\nkeV,Q\n0,0.1\n10,0.2\n50,0.3\n",
    )
    response = experiment.detector.response
    assert response.acceptance == cf.Table((0.0, 6.0, 20.0), (0.0, 0.5, 1.0))
    assert response.quenching == cf.Table((0.0, 0.01, 0.05), (0.1, 0.2, 0.3))
    counts = cf.event_rate(experiment, cf.StandardModel())
    assert counts == pytest.approx(slow_twin.event_rate(experiment, cf.StandardModel()), rel=1e-10)


@pytest.mark.parametrize(
    ("text", "smearing"),
    [
        ('{ type = "poisson" }', cf.PoissonSmearing()),
        ('{ type = "gaussian", statistical = 0.9, constant = 0.1 }', cf.GaussianSmearing(0.9, 0.1)),
        ('{ type = "gamma", shape_per_unit = 2.0 }', cf.GammaSmearing(2.0)),
    ],
)
def test_each_smearing(mine, text, smearing):
    experiment = mine(("acceptance = 0.8", f"acceptance = 0.8\nsmearing = {text}"))
    assert experiment.detector.response.smearing == smearing
    sharp = cf.event_rate(mine(), cf.StandardModel())
    assert cf.event_rate(experiment, cf.StandardModel()) == pytest.approx(sharp, rel=0.5)


def test_form_factors(mine):
    table = '\n[detector.form_factor]\ntype = "helm"\nconvention = "rms"\nneutron_radius_fm = { I127 = 4.9 }\n\n[data]'
    assert mine(("\n[data]", table)).detector.form_factor == cf.HelmFormFactor("rms", neutron_radius={"I127": 4.9})
    point = '\n[detector.form_factor]\ntype = "point"\n\n[data]'
    assert mine(("\n[data]", point)).detector.form_factor == cf.PointNucleus()


def test_uncertainties(mine):
    text = (
        'signal = 0.1\nsignal_on = "standard_model"\nshape = 0.01\nvariance = "prediction"\nsteady_state_weight = 1.0'
    )
    experiment = mine(("signal = 0.1", text))
    assert experiment.signal_uncertainty_on == "standard_model"
    assert experiment.variance == "prediction"
    assert (experiment.shape_uncertainty, experiment.steady_state_weight) == (0.01, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("exposure_protons_on_target = 1e23\n", "", "exposure_protons_on_target"),
        ("mass_kg = 100.0\n", "", "mass"),
        ("distance_m = 25.0\n", "", "distance"),
        ("signal = 0.1", "", "signal"),
        ('type = "pion-decay-at-rest"\n', "", "type"),
        ('table = "mine.csv"', "", "table"),
        ('column = "neutrons"\n', "", "column"),
        ("mass_kg = 100.0", "mass_kg = 100.0\nmas = 1", "mas"),
        ("distance_m = 25.0", "distance_m = 25.0\ndistanse = 2", "distanse"),
        ("light_yield_per_keV = 2.0", "lightyield = 2.0", "lightyield"),
        ("signal = 0.1", "signal = 0.1\nbackground = 0.1", "background"),
        ('name = "mine"\n', 'name = "mine"\ncomment = "x"\n', "comment"),
        ("mass_kg = 100.0", 'mass_kg = "100"', "mass"),
        ("mass_kg = 100.0", "mass_kg = -100.0", "mass = -100.0"),
        ("mass_kg = 100.0", "mass_kg = nan", "mass = nan"),
        ("exposure_protons_on_target = 1e23", "exposure_protons_on_target = 0.0", "exposure = 0.0"),
        ("distance_m = 25.0", "distance_m = -2.0", "distance = -2.0"),
        ("bins = [4, 8, 16]", "bins = [4, 16, 8]", "bins"),
        ("bins = [4, 8, 16]", "bins = [4, 8, 8]", "bins"),
        ("bins = [4, 8, 16]", "bins = [4, 7, 16]", "low, high are not the detector's bins"),
        ("bins = [4, 8, 16]", "bins = [4, 8]", "low, high are not the detector's bins"),
        ("acceptance = 0.8", "acceptance = 1.8", "acceptance = 1.8"),
        ("quenching = 0.5", "quenching = 0.0", "quenching = 0.0"),
        ("light_yield_per_keV = 2.0", "light_yield_per_keV = -2.0", "light_yield = -2.0"),
        ("{ Na = 1, I = 1 }", "{ Na = 1, Tc = 1 }", "composition of NaI = 'Tc'"),
        ("{ Na = 1, I = 1 }", "{ Na = -1, I = 1 }", "composition of NaI: Na = -1"),
        ("{ Na = 1, I = 1 }", "{ }", "composition"),
        ("signal = 0.1", "signal = -0.1", "signal"),
        ("uncertainty = 0.2", "uncertainty = -0.2", "uncertainty of 'neutrons' = -0.2"),
        ('column = "neutrons"', 'column = "neutron"', "no column 'neutron'; did you mean 'neutrons'"),
        ('type = "pion-decay-at-rest"', 'type = "pion"', "pion"),
        ("acceptance = 0.8", 'acceptance = { type = "logistic", plateau = 0.5 }', "steepness"),
        ("acceptance = 0.8", 'acceptance = { type = "formula" }', "formula"),
        ("acceptance = 0.8", 'smearing = { type = "gamma", shape_per_unit = -1.0 }', "shape_per_unit = -1.0"),
        ("acceptance = 0.8", 'smearing = { type = "gauss" }', "gauss"),
        ("exposure_protons_on_target = 1e23", "exposure_days = ", "line 3"),
    ],
)
def test_errors_name_file_and_field(mine, old, new, field):
    with pytest.raises(ValueError) as error:
        mine((old, new))
    assert "mine.toml" in str(error.value)
    assert field in str(error.value)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("low,high,observed,neutrons\n4,8,30,2.5\n", "low, high are not the detector's bins"),
        (CSV + "16,32,1,1,1\n", "low, high are not the detector's bins"),
        (CSV.replace("8,16,20,5,1.5", "8,16,20,5"), "has 4 cells, the header 5"),
        (CSV.replace("20", "twenty"), "column 'observed': could not convert"),
        (CSV.replace("20", ""), "column 'observed': could not convert"),
        (CSV.replace("observed", "seen"), "no column 'observed'"),
        (CSV.replace("20", "nan"), "observed = .*nan.*must be finite"),
        ("low,high\n", "the table has no rows"),
    ],
)
def test_errors_of_the_table(mine, csv, message):
    with pytest.raises(ValueError, match=message) as error:
        mine(csv=csv)
    assert "mine.toml" in str(error.value)


def test_missing_tables(mine):
    with pytest.raises(FileNotFoundError, match=r"mine\.toml: \[data\] .*'other\.csv': there is no such file"):
        mine(("mine.csv", "other.csv"))
    table = 'acceptance = { type = "table", file = "absent.csv", x_column = "pe", value_column = "value" }'
    with pytest.raises(FileNotFoundError, match=r"mine\.toml: \[detector\] .*'absent\.csv': there is no such"):
        mine(("acceptance = 0.8", table))
    with pytest.raises(ValueError, match="no column 'value'"):
        mine(
            (
                "acceptance = 0.8",
                'acceptance = { type = "table", file = "a.csv", x_column = "pe", value_column = "value" }',
            ),
            a="pe,valu\n0,0.0\n6,0.5\n",
        )
    with pytest.raises(ValueError, match="increasing"):
        mine(
            (
                "acceptance = 0.8",
                'acceptance = { type = "table", file = "a.csv", x_column = "pe", value_column = "value" }',
            ),
            a="pe,value\n6,0.0\n0,0.5\n",
        )
    with pytest.raises(ValueError, match=r"acceptance: returns 1\.5, must be from 0 to 1"):
        mine(
            (
                "acceptance = 0.8",
                'acceptance = { type = "table", file = "a.csv", x_column = "pe", value_column = "value" }',
            ),
            a="pe,value\n0,0.0\n6,1.5\n",
        )
