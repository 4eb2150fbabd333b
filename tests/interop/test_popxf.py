"""POPxf files: the validator takes them, the parser and jelli compute our counts, jelli's χ² is ours."""

import json
import math
import warnings

import numpy as np
import pytest

import cevns_fast as cf

POINT = {"C_V": 0.1 + 0.05j, "a_M": 1e-4 - 3e-4j, "C_S": 0.02}


@pytest.fixture(scope="module")
def pair():
    """Two experiments that share a nuisance, one with a covariance of its own."""
    csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.26)
    lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=0.14)
    return [csi, lar]


@pytest.fixture(scope="module")
def nuisances(pair):
    """Of the signal of both, of a shape, of a background, of correlated bins."""
    csi = pair[0]
    thick, thin = (csi.replace(form_factor=cf.HelmFormFactor(skin=s)) for s in (1.0, 0.8))
    bins = np.arange(csi.n_bins)
    return [
        cf.ScaleNuisance("SNS flux", 0.10),
        cf.ShapeNuisance("nuclear skin", up=(thick,), down=(thin,)),
        cf.CovarianceMatrix("smooth", 4.0 * np.exp(-abs(bins[:, None] - bins) / 3.0), experiments=(csi.name,)),
    ]


def value(name, part, point):
    """The real or imaginary part of a parameter; 1 for none."""
    return 1.0 if not name else getattr(complex(point.get(name, 0.0)), {"R": "real", "I": "imag"}[part])


def evaluated(terms, point):
    """A polynomial of POPxf, from keys that are tuples."""
    total = 0.0
    for key, coefficients in terms.items():
        names, parts = key[:-1], key[-1]
        total = total + math.prod(value(n, p, point) for n, p in zip(names, parts, strict=True)) * np.array(
            coefficients
        )
    return total


def parsed(file):
    """The polynomial as the package popxf-tools reads it, whose version 0.0.1 does not evaluate."""
    tools = pytest.importorskip("popxf.tools.polynomial", reason="needs popxf-tools: pip install 'cevns_fast[popxf]'")
    degree = file["metadata"].get("polynomial_degree", 2)
    length = len(file["metadata"]["observable_names"])
    return tools.POPxfPolynomial(file["data"]["observable_central"], degree=degree, length=length)


# What https://json.schemastore.org/popxf-1.0.json asks of the fields that we write: popxf-validator 0.0.1 comes without
# it. The validator checks the rest itself: lengths, order and names of keys.
NUMBERS = {"type": "array", "items": {"type": "number"}}
NAMES = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True, "minItems": 1}


def schema_of(degree):
    """The schema for polynomials of an order."""
    key = rf"^\((?:'[^']*', ){{{degree - 1}}}'[^']*'(?:, '[IR]{{{degree}}}')?\)$"
    polynomial = {"type": "object", "propertyNames": {"pattern": key}, "additionalProperties": NUMBERS}
    wcxf = {
        "type": "object",
        "properties": {"eft": {"type": "string"}, "basis": {"type": "string"}, "sectors": NAMES},
        "required": ["eft", "basis"],
        "additionalProperties": False,
    }
    step = {
        "type": "object",
        "properties": {"description": {"type": "string"}, "tool": {"type": "object", "required": ["name"]}},
    }
    metadata = {
        "type": "object",
        "properties": {
            "observable_names": NAMES,
            "parameters": NAMES,
            "basis": {"type": "object", "properties": {"wcxf": wcxf, "custom": {}}, "additionalProperties": False},
            "scale": {"type": "number"},
            "reproducibility": {"type": "array", "minItems": 1, "items": step},
            "polynomial_degree": {"enum": [1, 2, 3, 4, 5]},
            "misc": {"type": "object"},
        },
        "required": ["observable_names", "parameters", "basis", "scale"],
        "additionalProperties": False,
    }
    data = {
        "type": "object",
        "properties": {
            "observable_central": polynomial,
            "observable_uncertainties": {"type": "object", "additionalProperties": polynomial},
        },
        "required": ["observable_central"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"$schema": {"type": "string"}, "metadata": metadata, "data": data},
        "required": ["$schema", "metadata", "data"],
        "additionalProperties": False,
    }


@pytest.fixture
def validator(monkeypatch):
    """A function that has popxf-validator check a file."""
    package = pytest.importorskip("popxf.validator", reason="needs popxf-validator: pip install 'cevns_fast[popxf]'")
    from jsonschema.validators import Draft202012Validator
    from popxf.validator import schemas

    def check(file):
        if not schemas.schemas:
            degree = file["metadata"].get("polynomial_degree", 2)
            monkeypatch.setitem(schemas.schemas, "popxf-1.0.json", schema_of(degree))
            monkeypatch.setitem(schemas.validators, "popxf-1.0.json", Draft202012Validator)
        return package.POPxfValidator(json.loads(json.dumps(file)))

    return check


FILES = {
    "complex couplings": lambda pair: cf.popxf_predictions(
        pair, cf.SingletEFT(20.0), list(POINT), complex_couplings=["C_V", "a_M"]
    ),
    "one quark": lambda pair: cf.popxf_predictions(pair[0], cf.SingletEFT(20.0), ["C_V_u", "C_V_d"]),
    "interference": lambda pair: cf.popxf_predictions(pair, cf.NSI(), ["eps_ee_u", "eps_emu_d"]),
    "Wilson coefficients": lambda pair: cf.popxf_predictions(pair, cf.NSI(), basis="WET-3"),
    "to the fourth": lambda pair: cf.popxf_predictions(pair, cf.ScalarMediator(m_chi=10.0, m_S=10.0), ["y_bar"]),
}


@pytest.mark.parametrize("name", FILES)
def test_validator_takes_files(name, pair, validator):
    found = validator(FILES[name](pair))
    assert found.mode == "SP" and found.length_observable_names >= 12


def test_validator_refuses_what_is_wrong(pair, validator):
    file = FILES["interference"](pair)
    file["data"]["observable_central"]["('eps_emu_d', 'eps_ee_u', 'RR')"] = file["data"][
        "observable_central"
    ].popitem()[1]
    with pytest.raises(Exception, match="order"):
        validator(file)


def test_uncertainties_are_what_nuisances_add(pair, nuisances, validator):
    chosen = cf.SingletEFT(20.0)
    file = cf.popxf_predictions(pair, chosen, ["C_V"], nuisances=nuisances, uncertainties=True)
    validator(file)
    sources = file["data"]["observable_uncertainties"]
    assert {"SNS flux", "nuclear skin", "coherent-csi-2017: alpha"} <= set(sources)
    counts = np.concatenate([cf.event_rate(e, chosen.replace(C_V=0.1)) for e in pair])
    terms = {name: {eval(k): v for k, v in source.items()} for name, source in sources.items()}
    assert evaluated(terms["SNS flux"], {"C_V": 0.1}) == pytest.approx(0.1 * counts, rel=1e-12)
    up, down = (cf.event_rate(e[0], chosen.replace(C_V=0.1)) for e in (nuisances[1].up, nuisances[1].down))
    moved = evaluated(terms["nuclear skin"], {"C_V": 0.1})
    assert moved[:12] == pytest.approx((up - down) / 2, rel=1e-11) and not moved[12:].any()


def test_parsed_polynomials_are_counts(pair):
    found = evaluated(parsed(FILES["complex couplings"](pair)), POINT)
    expected = np.concatenate([cf.event_rate(e, cf.SingletEFT(20.0, **POINT)) for e in pair])
    assert found == pytest.approx(expected, rel=1e-12)


def test_products_of_real_and_imaginary_parts(csi):
    """One helicity interferes with i times the other: counts have Im(a_M* D_P)."""
    point = {"a_M": 1e-4 - 3e-4j, "D_P": 0.3 + 0.5j, "C_S": 0.02j}
    left = cf.SingletEFT(20.0, helicity="left")
    file = cf.popxf_predictions(csi, left, list(point), complex_couplings=list(point))
    terms = file["data"]["observable_central"]
    mixed, turned = (np.array(terms[f"('D_P', 'a_M', '{parts}')"]) for parts in ("IR", "RI"))
    assert np.any(mixed) and np.array_equal(mixed, -turned)
    assert evaluated(parsed(file), point) == pytest.approx(cf.event_rate(csi, left.replace(**point)), rel=1e-12)


def test_flavour_changing_couplings_are_complex(pair):
    names = ["eps_ee_u", "eps_emu_d", "eps_emu_u"]
    file = cf.popxf_predictions(pair, cf.NSI(), names, complex_couplings=names[1:])
    point = {"eps_ee_u": 0.1, "eps_emu_d": 0.05 + 0.02j, "eps_emu_u": -0.1j}
    expected = np.concatenate([cf.event_rate(e, cf.NSI(**point)) for e in pair])
    assert evaluated(parsed(file), point) == pytest.approx(expected, rel=1e-12)


def test_quartic_counts(pair):
    mediator = cf.ScalarMediator(m_chi=10.0, m_S=10.0)
    file = cf.popxf_predictions(pair, mediator, ["y_bar"])
    assert file["metadata"]["polynomial_degree"] == 4
    expected = np.concatenate([cf.event_rate(e, mediator.replace(y_bar=1e-4)) for e in pair])
    assert evaluated(parsed(file), {"y_bar": 1e-4}) == pytest.approx(expected, rel=1e-12)


def test_wilson_coefficients_give_what_wilson_says(pair):
    wcxf = pytest.importorskip("wilson", reason="needs wilson: pip install 'cevns_fast[wcxf]'").wcxf
    point = {"VnuuLL_1111": 3e-6, "VnudLR_1211": 1e-6 - 2e-6j, "VnuuLR_2211": -2e-6, "VnudLL_1211": 5e-7j}
    epsilon = cf.nsi_from_wilson(wcxf.WC("WET-3", "JMS", 2.0, wcxf.WC.dict2values(point)))
    expected = np.concatenate([cf.event_rate(e, epsilon) for e in pair])
    found = evaluated(parsed(FILES["Wilson coefficients"](pair)), point)
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interaction": cf.SingletEFT}, "interaction = "),
        ({"interaction": cf.SingletEFT(20.0), "couplings": ["C_X"]}, "coupling = 'C_X'"),
        ({"interaction": cf.SingletEFT(20.0), "couplings": []}, "couplings = "),
        ({"interaction": cf.NSI(), "complex_couplings": ["eps_ee_u"]}, "'eps_ee_u': must be real"),
        ({"interaction": cf.SingletEFT(20.0), "basis": "WET-3"}, "is for NSI"),
        ({"interaction": cf.SingletEFT(20.0), "scale": -1.0}, "scale = -1.0"),
    ],
)
def test_refused(csi, arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.popxf_predictions(csi, **arguments)


def test_free_nuisances_have_no_covariance(csi):
    free = cf.ScaleNuisance("norm", math.inf)
    with pytest.raises(ValueError, match="'norm' is free: a measurement's must be constrained"):
        cf.popxf_measurements(csi, nuisances=[free])


def chi2_of(file, counts):
    """χ² of the distribution in a measurement's file."""
    (constraint,) = next(value for key, value in file.items() if key != "$schema")
    deviation = np.array(constraint["standard_deviation"])
    pulls = (np.array(constraint["central_value"]) - counts) / deviation
    return pulls @ np.linalg.solve(np.array(constraint["correlation"]), pulls)


def test_measurement_is_our_chi2(pair, nuisances):
    like, new = cf.Likelihood(pair, nuisances=nuisances), cf.SingletEFT(20.0, C_V=0.1)
    for interaction in (cf.StandardModel(), new):
        counts = np.concatenate([cf.event_rate(e, interaction) for e in pair])
        file = cf.popxf_measurements(pair, interaction, nuisances=nuisances)
        assert chi2_of(file, counts) == pytest.approx(like.chi2(interaction), rel=1e-9)


def test_measurement_without_signal_nuisances_is_our_chi2_everywhere(csi):
    bare = csi.replace(signal_uncertainty=0.0)
    file, like = cf.popxf_measurements(bare), cf.Likelihood(bare)
    for x in (0.0, 0.05, 0.3):
        new = cf.SingletEFT(20.0, C_V=x)
        assert chi2_of(file, cf.event_rate(bare, new)) == pytest.approx(like.chi2(new), rel=1e-9)


def test_predicted_variances_are_taken_where_they_are_evaluated():
    conus = next(e for e in map(cf.load, cf.available_experiments()) if e.variance == "prediction")
    file, like = cf.popxf_measurements(conus), cf.Likelihood(conus)
    counts = cf.event_rate(conus, cf.StandardModel())
    assert chi2_of(file, counts) == pytest.approx(like.chi2(cf.StandardModel()), rel=1e-9, abs=1e-12)


@pytest.fixture
def jelli():
    """The package, or why there is none; its class-wide tables empty."""
    pytest.importorskip("rgevolve", reason="needs jelli: pip install 'cevns_fast[popxf]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("jelli", reason="needs jelli: pip install 'cevns_fast[popxf]'")
    for table in (package.ObservableSector._observable_sectors, package.CustomBasis._custom_bases):
        table.clear()
    package.Measurement.clear()
    return package


def loaded(jelli, folder, predictions, measurements):
    """Both files, where jelli looks for them."""
    for name, content in (("cevns", predictions), ("data", measurements)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    custom = predictions["metadata"]["basis"].get("custom")
    if custom:
        jelli.CustomBasis(**custom)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing runs in a custom basis
        jelli.GlobalLikelihood.load(str(folder))
        return jelli.GlobalLikelihood(
            **({"custom_basis": custom["name"]} if custom else {"eft": "WET-3", "basis": "JMS"})
        )


@pytest.mark.filterwarnings("ignore")  # what jelli and its dependencies say of their own future
def test_jelli_computes_our_counts_and_chi2(jelli, pair, nuisances, tmp_path):
    new = cf.SingletEFT(20.0, **POINT)
    files = FILES["complex couplings"](pair), cf.popxf_measurements(pair, new, nuisances=nuisances)
    whole = loaded(jelli, tmp_path, *files)
    predict = jelli.ObservableSector.get_class_prediction_function(["cevns"])
    data = jelli.ObservableSector.get_class_prediction_data(None, None, ["cevns"])
    counts = np.concatenate([cf.event_rate(e, new) for e in pair])
    assert np.array(predict(whole._get_par_array(POINT), 2.0, data)) == pytest.approx(counts, rel=1e-12)
    chi2 = float(whole.parameter_point(POINT, 2.0).chi2_dict()["global"])
    assert chi2 == pytest.approx(cf.Likelihood(pair, nuisances=nuisances).chi2(new), rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_jelli_takes_wilson_coefficients(jelli, pair, tmp_path):
    wcxf = pytest.importorskip("wilson").wcxf
    point = {"VnuuLL_1111": 3e-6, "VnudLR_1211": 1e-6 - 2e-6j}
    epsilon = cf.nsi_from_wilson(wcxf.WC("WET-3", "JMS", 2.0, wcxf.WC.dict2values(point)))
    whole = loaded(jelli, tmp_path, FILES["Wilson coefficients"](pair), cf.popxf_measurements(pair, epsilon))
    chi2 = float(whole.parameter_point(point, 2.0).chi2_dict()["global"])
    assert chi2 == pytest.approx(cf.Likelihood(pair).chi2(epsilon), rel=1e-6), "jelli's matrices are single precision"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_jelli_runs_smeft_down_to_our_counts(jelli, csi, tmp_path):
    wilson = pytest.importorskip("wilson")
    loaded(jelli, tmp_path, cf.popxf_predictions(csi, cf.NSI(), basis="WET-3"), cf.popxf_measurements(csi))
    whole = jelli.GlobalLikelihood(eft="SMEFT", basis="Warsaw")
    predict = jelli.ObservableSector.get_class_prediction_function(["cevns"])
    data = jelli.ObservableSector.get_class_prediction_data("SMEFT", "Warsaw", ["cevns"])
    for point in ({"lq1_1111": 2e-7}, {"lq3_2211": 2e-7}, {"lu_1111": -3e-7}):
        expected = cf.event_rate(csi, cf.nsi_from_wilson(wilson.Wilson(point, 1000.0, "SMEFT", "Warsaw")))
        found = np.array(predict(whole._get_par_array(point), 1000.0, data))
        assert found == pytest.approx(expected, rel=1e-5), "jelli interpolates between scales"
        assert abs(found.sum() / cf.event_rate(csi, cf.StandardModel()).sum() - 1) > 0.01
