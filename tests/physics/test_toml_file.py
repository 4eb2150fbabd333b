"""The file of an experiment: every field does something, every key states its unit, nothing odd gets through."""

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import numpy as np
import pytest
import slow_twin

import cevns_fast as cf
from cevns_fast.experiments.toml_file import read
from cevns_fast.experiments.toml_file.table import Table
from cevns_fast.likelihood.measurement import measurement_of

SM = cf.StandardModel()
DOCS = Path(__file__).parents[2] / "docs" / "toml.md"

HEAD = 'name = "mine"\ndescription = "a test"\n'
SPALLATION = '[source]\ntype = "pion-decay-at-rest"\ndistance_m = 20.0\n'
REACTOR = '[source]\ntype = "reactor"\nthermal_power_GW = 3.0\ndistance_m = 20.0\n'
TABULATED = """\
[source]
type = "tabulated"
file = "flux.csv"
energy_column = "E"
energy_unit = "MeV"
value_column = "phi"
value_per = "MeV"
"""
DETECTOR = '[detector]\nmaterial = "NaI"\ncomposition = { Na = 1, I = 1 }\nmass_kg = 10.0\nbins = [2, 4, 8]\n'
RESPONSE = "[detector.response]\nlight_yield_per_keV = 1.0\n"
HELM = '[detector.form_factor]\ntype = "helm"\n'
KLEIN = HELM.replace("helm", "klein-nystrand")
FERMI = HELM.replace("helm", "symmetrised-fermi")
DATA = '[data]\ntable = "data.csv"\n'
UNCERTAINTY = "[uncertainty]\nsignal = 0.1\n"
TABLES = {
    "flux.csv": "E,phi,psi,error\n1,1e12,2e12,0.1\n20,2e12,1e12,0.2\n50,1e11,1e12,0.3\n",
    "data.csv": "low,high,observed,steady_state,n,m\n2,4,200,20,5,9\n4,8,150,30,4,2\n",
    "rates.csv": "low,high,observed,n,m\n2,4,200,5,9\n4,8,150,4,2\n",
    "q.csv": "T,Q,R\n0,0.5,0.6\n20,0.6,0.7\n100,0.7,0.8\n",
    "a.csv": "x,A,B\n0,0.1,0.2\n5,0.5,0.6\n20,1,0.9\n",
    "times.csv": "low,high,observed,n,m\n2,4,100,5,9\n2,4,90,3,2\n4,8,70,4,2\n4,8,80,4,3\n",
    "excess.csv": "low,high,observed,sigma\n2,4,200,20\n4,8,150,30\n",
    "f.csv": "prompt,delayed,late\n0.9,0.5,0.4\n0.1,0.4,0.5\n",
    "p.csv": "z0,z1,z2\n0.5,0.4,0.2\n0.3,0.6,0.1\n",
    "c.csv": "c,d,e\n0.5,0.8,0.7\n1.5,1.2,1.7\n",
    "r.csv": "T,v,b0,b1\n0.002,n,0.2,0.1\n0.02,n,0.3,0.5\n0.002,u,0.3,0.1\n0.02,u,0.4,0.5\n"
    "0.002,d,0.1,0.1\n0.02,d,0.2,0.4\n",
}


class File:
    """A file in parts, of which one may be changed."""

    def __init__(self, folder, source=SPALLATION, exposure="exposure_protons_on_target = 1e23\n", **parts):
        self.folder = folder
        self.parts = {"head": HEAD + exposure, "source": source, "detector": DETECTOR, "response": RESPONSE,
                      "form_factor": "", "data": DATA, "background": "", "steady_state": "",
                      "uncertainty": UNCERTAINTY, "axes": "", "nuisance": ""} | parts  # fmt: skip
        for name, text in TABLES.items():
            (folder / name).write_text(text)

    def load(self, **changes):
        text = "\n".join((self.parts | changes).values())
        (self.folder / "mine.toml").write_text(text)
        return cf.load(self.folder / "mine.toml")


def numbers(experiment):
    """Everything that the file decides: counts of ν and ν̄ at two scales, data, and the χ²."""
    parts = [cf.event_rate(experiment, SM), cf.event_rate(experiment, cf.SingletEFT(0.5, C_S=0.3, C_T=0.3, a_M=1e-4))]
    like = cf.Likelihood(experiment)
    measured = measurement_of(experiment)
    parts += [measured.data, measured.steady_state]
    if any(isinstance(each, cf.SignalVariation) for each in experiment.nuisances):
        parts.append([like.chi2(cf.StandardModel(s2)) for s2 in (0.22, 0.3)])
    else:
        parts.append([like.chi2_of_counts(np.full(experiment.n_bins, size)) for size in (10.0, 1e3)])
    return np.concatenate([np.ravel(part) for part in parts])


GAUSS = 'smearing = { type = "gaussian", constant = 0.3 }\n'
LOGISTIC = 'acceptance = { type = "logistic", plateau = 0.7, steepness = 0.5, midpoint = 4, threshold = 2.5 }\n'
Q_TABLE = (
    'quenching = { type = "table", file = "q.csv", energy_column = "T", energy_unit = "keV", value_column = "Q" }\n'
)
A_TABLE = 'acceptance = { type = "table", file = "a.csv", x_column = "x", value_column = "A" }\n'
BACKGROUND = '[[background]]\nname = "n"\ncolumn = "n"\nuncertainty = 0.2\n'
RATE = {"data": '[data]\ntable = "rates.csv"\n'}
DAYS = {"exposure": "exposure_days = 300.0\n"}
OWN = '[[detector.nuclide]]\nname = "Xx200"\nZ = 80\nN = 120\natomic_mass_u = 199.9\ncharge_radius_fm = 5.4\n'
OWN_DETECTOR = DETECTOR.replace("{ Na = 1, I = 1 }", "{ Xx200 = 1 }")
RMS = '[detector.form_factor]\ntype = "helm"\nconvention = "rms"\n'

NAMES = '{ nu_mu = "prompt", nu_e = "delayed", anti_nu_mu = "delayed" }'
FILLED = '[time]\nedges_us = [0, 1, 6]\nfile = "f.csv"\nfractions = ' + NAMES + "\n"
PULSE = """\
[time]
edges_us = [0, 1, 6]
pulse = { mean_us = 0.5, width_us = 0.2, efficiency = { type = "exponential", start_us = 0.6, rate_per_us = 0.05 } }
"""
TIMES = '[data]\ntable = "times.csv"\n'
TIMED = {"axes": PULSE, "data": TIMES}
SORTED = '[release]\nname = "z"\nfile = "p.csv"\ncolumns = ["z0", "z1"]\n'
CALIBRATED = '[calibration]\nfile = "c.csv"\ncolumn = "c"\n'
OTHER = '[[nuisance]]\ntype = "calibration"\nname = "s"\nup = { file = "c.csv", column = "d" }\n'
MATRIX = """\
[detector.response]
matrix = { file = "r.csv", energy_column = "T", energy_unit = "MeV", variant_column = "v", variant = "n" }
"""
SCALE = '[[nuisance]]\ntype = "scale"\nname = "s"\nuncertainty = 0.3\n'
SIDES = '[[nuisance]]\ntype = "scale"\nname = "s"\nup = 0.3\ndown = -0.2\n'
VARIED = '[[nuisance]]\ntype = "response"\nname = "s"\nup.acceptance = 0.9\ndown.acceptance = 0.8\n'
LATER = '[[nuisance]]\ntype = "onset"\nname = "s"\nshift_us = 0.1\n'
BENT = '[[nuisance]]\ntype = "background"\nname = "s"\non = "n"\nup = "m"\n'
INACTIVE = "active = false\n"


def varied(old, new, **more):
    """A case of one of the things that another response may differ in."""
    return {"nuisance": VARIED} | more, "nuisance", old, new


# Of each table: field -> (the parts of a file, the part that changes, what is there, what is there instead).
Case = tuple[dict[str, Any], str, str, str]
FIELDS: dict[str, dict[str, Case]] = {
    "PionDecayAtRestTable": {
        "distance_m": ({}, "source", "20.0", "21.0"),
        "neutrinos_per_proton": ({}, "source", "20.0\n", "20.0\nneutrinos_per_proton = 0.09\n"),
    },
    "ReactorTable": {
        "thermal_power_GW": ({}, "source", "3.0", "3.1"),
        "distance_m": ({}, "source", "20.0", "21.0"),
        "total_flux_per_cm2_s": (
            {}, "source", "thermal_power_GW = 3.0\ndistance_m = 20.0", "total_flux_per_cm2_s = 1e13"
        ),
        "fission_fractions": ({}, "source", "20.0\n", "20.0\nfission_fractions = { U235 = 0.5, Pu239 = 0.5 }\n"),
        "high_energy": ({}, "source", "20.0\n", '20.0\nhigh_energy = "mueller"\n'),
        "low_energy": ({}, "source", "20.0\n", '20.0\nlow_energy = "kopeikin"\n'),
        "energy_per_fission_MeV": ({}, "source", "20.0\n", "20.0\nenergy_per_fission_MeV = 200\n"),
        "endpoint_MeV": ({}, "source", "20.0\n", "20.0\nendpoint_MeV = 7.5\n"),
    },
    "TabulatedTable": {
        "file": ({}, "source", "flux.csv", "other.csv"),
        "energy_column": ({}, "source", '"E"', '"F"'),
        "energy_unit": ({}, "source", 'energy_unit = "MeV"', 'energy_unit = "GeV"'),
        "value_column": ({}, "source", '"phi"', '"psi"'),
        "value_per": ({}, "source", 'value_per = "MeV"', 'value_per = "GeV"'),
        "interpolation": ({}, "source", 'value_per = "MeV"\n', 'value_per = "MeV"\ninterpolation = "log"\n'),
        "uncertainty": ({"uncertainty": '[uncertainty]\nsignal = "source"\n'}, "source", 'value_per = "MeV"\n',
                        'value_per = "MeV"\nuncertainty = "error"\n'),
        "total_flux_per_cm2_s": ({}, "source", 'value_per = "MeV"', "total_flux_per_cm2_s = 1e14"),
        "antineutrino": ({}, "source", 'value_per = "MeV"\n', 'value_per = "MeV"\nantineutrino = false\n'),
    },
    "LogisticTable": {
        name: ({"response": RESPONSE + LOGISTIC}, "response", f"{name} = {old}", f"{name} = {new}")
        for name, old, new in (
            ("plateau", 0.7, 0.6), ("steepness", 0.5, 0.6), ("midpoint", 4, 5), ("threshold", 2.5, 3.5)
        )
    },
    "AcceptanceTable": {
        "file": ({"response": RESPONSE + A_TABLE}, "response", "a.csv", "other.csv"),
        "x_column": ({"response": RESPONSE + A_TABLE}, "response", '"x"', '"y"'),
        "value_column": ({"response": RESPONSE + A_TABLE}, "response", '"A"', '"B"'),
    },
    "QuenchingTable": {
        "file": ({"response": RESPONSE + Q_TABLE}, "response", "q.csv", "other.csv"),
        "energy_column": ({"response": RESPONSE + Q_TABLE}, "response", '"T"', '"U"'),
        "energy_unit": ({"response": RESPONSE + Q_TABLE}, "response", '"keV"', '"eV"'),
        "value_column": ({"response": RESPONSE + Q_TABLE}, "response", '"Q"', '"R"'),
    },
    "LindhardTable": {
        "element": ({"response": RESPONSE + 'quenching = { type = "lindhard", element = "I", k = 0.5 }\n'}, "response",
                    '"I"', '"Na"'),
        "k": ({"response": RESPONSE + 'quenching = { type = "lindhard", element = "I", k = 0.5 }\n'}, "response",
              "0.5", "0.6"),
    },
    "PolynomialTable": {
        name: ({"response": RESPONSE +
                'quenching = { type = "polynomial", coefficients = [0.2, 0.01], energy_unit = "keV" }\n'},
               "response", old, new)
        for name, old, new in (("coefficients", "0.01]", "0.01, 1e-5]"), ("energy_unit", '"keV"', '"MeV"'))
    },
    "LinearTable": {
        name: ({"response": RESPONSE + 'quenching = { type = "linear", intercept = 0.2, slope_per_keV = 0.01 }\n'},
               "response", f"{name} = {old}", f"{name} = {new}")
        for name, old, new in (("intercept", 0.2, 0.3), ("slope_per_keV", 0.01, 0.02))
    },
    "OffsetLogisticTable": {
        name: ({"response": RESPONSE + 'acceptance = { type = "offset-logistic", amplitude = 1.2, steepness = 0.5, '
                "midpoint = 4, offset = -0.3 }\n"}, "response", f"{name} = {old}", f"{name} = {new}")
        for name, old, new in (
            ("amplitude", 1.2, 1.1), ("steepness", 0.5, 0.6), ("midpoint", 4, 5), ("offset", -0.3, -0.2)
        )
    },
    "SolarTable": {
        "fluxes_per_cm2_s": (
            DAYS | {"source": '[source]\ntype = "solar"\n',
                    "detector": DETECTOR.replace("[2, 4, 8]", "[0.1, 0.2, 0.6]"), "data": "[data]\nsimulated = {}\n"},
            "source", '"solar"\n', '"solar"\nfluxes_per_cm2_s = { 8B = 5e6 }\n',
        )
    },
    "MatrixTable": {
        "file": ({"response": MATRIX}, "response", "r.csv", "other.csv"),
        "energy_column": ({"response": MATRIX}, "response", '"T"', '"U"'),
        "energy_unit": ({"response": MATRIX}, "response", '"MeV"', '"keV"'),
        "variant_column": ({"response": MATRIX}, "response", '"v"', '"y"'),
        "variant": ({"response": MATRIX}, "response", '"n"', '"u"'),
        "scale": ({"response": MATRIX}, "response", '"n"', '"n", scale = 0.5'),
    },
    "TimeTable": {
        "edges_us": (TIMED, "axes", "6]", "7]"),
        "pulse": (TIMED, "axes", PULSE, FILLED),
        "file": (TIMED | {"axes": FILLED}, "axes", "f.csv", "other.csv"),
        "fractions": (TIMED | {"axes": FILLED}, "axes", '"delayed"', '"late"'),
    },
    "PulseTable": {
        "mean_us": (TIMED, "axes", "0.5,", "0.55,"),
        "width_us": (TIMED, "axes", "0.2,", "0.25,"),
        "pion_lifetime_us": (TIMED, "axes", "0.2,", "0.2, pion_lifetime_us = 0.1,"),
        "muon_lifetime_us": (TIMED, "axes", "0.2,", "0.2, muon_lifetime_us = 2.1,"),
        "efficiency": (TIMED, "axes", "rate_per_us = 0.05", "rate_per_us = 0.1"),
    },
    "EfficiencyTable": {
        "start_us": (TIMED, "axes", "start_us = 0.6", "start_us = 0.3"),
        "rate_per_us": (TIMED, "axes", "rate_per_us = 0.05", "rate_per_us = 0.1"),
    },
    "ReleaseTable": {
        "probabilities": (
            {"axes": '[release]\nname = "z"\nprobabilities = [1, 0]\n', "data": TIMES}, "axes", "[1, 0]", "[0.5, 0.5]"
        ),
        "file": ({"axes": SORTED, "data": TIMES}, "axes", "p.csv", "other.csv"),
        "columns": ({"axes": SORTED, "data": TIMES}, "axes", '"z1"', '"z2"'),
        "others": ({"axes": SORTED, "data": TIMES}, "axes", '"z1"]\n', '"z1"]\nothers = { nu_mu = [0.3, 0.1] }\n'),
    },
    "CalibrationTable": {
        "file": ({"axes": CALIBRATED}, "axes", "c.csv", "other.csv"),
        "column": ({"axes": CALIBRATED}, "axes", '"c"', '"d"'),
    },
    "ScaleTable": {
        "uncertainty": ({"nuisance": SCALE}, "nuisance", "0.3", "0.4"),
        "up": ({"nuisance": SIDES}, "nuisance", "0.3", "0.4"),
        "down": ({"nuisance": SIDES}, "nuisance", "-0.2", "-0.3"),
        "on": ({"nuisance": SCALE, "background": BACKGROUND}, "nuisance", "0.3\n", '0.3\non = "n"\n'),
        "constraint": ({"nuisance": SCALE}, "nuisance", "0.3\n", '0.3\nconstraint = "log-normal"\n'),
        "active": ({"nuisance": SCALE}, "nuisance", "0.3\n", "0.3\n" + INACTIVE),
    },
    "ResponseVariationTable": {
        "up": varied("0.9", "0.95"),
        "down": varied("0.8", "0.75"),
        "active": varied("0.8\n", "0.8\n" + INACTIVE),
    },
    "VariedResponse": {
        "light_yield_per_keV": varied("up.acceptance = 0.9", "up.light_yield_per_keV = 1.1"),
        "quenching": varied("up.acceptance = 0.9", "up.quenching = 0.9"),
        "acceptance": varied("0.9", "0.95"),
        "smearing": varied("up.acceptance = 0.9", 'up.smearing = { type = "gaussian", constant = 0.5 }'),
        "recoil_threshold_keV": varied("up.acceptance = 0.9", "up.recoil_threshold_keV = 3"),
        "variant": (
            {"response": MATRIX,
             "nuisance": '[[nuisance]]\ntype = "response"\nname = "s"\nup.variant = "u"\ndown.variant = "d"\n'},
            "nuisance", '"u"', '"n"',
        ),
    },
    "OnsetTable": {
        "shift_us": (TIMED | {"nuisance": LATER}, "nuisance", "0.1", "0.2"),
        "active": (TIMED | {"nuisance": LATER}, "nuisance", "0.1\n", "0.1\n" + INACTIVE),
    },
    "CalibrationVariationTable": {
        "up": ({"axes": CALIBRATED, "nuisance": OTHER}, "nuisance", '"d"', '"e"'),
        "down": ({"axes": CALIBRATED, "nuisance": OTHER}, "nuisance", "}\n",
                 '}\ndown = { file = "c.csv", column = "e" }\n'),
        "active": ({"axes": CALIBRATED, "nuisance": OTHER}, "nuisance", "}\n", "}\n" + INACTIVE),
    },
    "BackgroundVariationTable": {
        "on": ({"nuisance": BENT, "background": BACKGROUND + BACKGROUND.replace('"n"', '"m"')},
               "nuisance", 'on = "n"', 'on = "m"'),
        "up": ({"nuisance": BENT, "background": BACKGROUND}, "nuisance", '"m"', '"n"'),
        "down": ({"nuisance": BENT, "background": BACKGROUND}, "nuisance", '"m"\n', '"m"\ndown = "n"\n'),
        "active": ({"nuisance": BENT, "background": BACKGROUND}, "nuisance", '"m"\n', '"m"\n' + INACTIVE),
    },
    "PoissonTable": {},
    "GaussianTable": {
        "statistical": ({"response": RESPONSE + GAUSS}, "response", "= 0.3", "= 0.3, statistical = 1"),
        "constant": ({"response": RESPONSE + GAUSS}, "response", "0.3", "0.4"),
        "linear": ({"response": RESPONSE + GAUSS}, "response", "constant = 0.3", "constant = 0.3, linear = 0.1"),
    },
    "GammaTable": {
        "shape_per_unit": ({"response": RESPONSE + 'smearing = { type = "gamma", shape_per_unit = 2 }\n'}, "response",
                           "2 }", "3 }"),
        "shape_per_keVee": ({"response": RESPONSE + 'smearing = { type = "gamma", shape_per_keVee = 2 }\n'}, "response",
                            "2 }", "3 }"),
    },
    "ResponseTable": {
        "light_yield_per_keV": ({}, "response", "1.0", "1.1"),
        "quenching": ({}, "response", "1.0\n", "1.0\nquenching = 0.9\n"),
        "acceptance": ({}, "response", "1.0\n", "1.0\nacceptance = 0.9\n"),
        "smearing": ({}, "response", "1.0\n", '1.0\nsmearing = { type = "poisson" }\n'),
        "recoil_threshold_keV": ({}, "response", "1.0\n", "1.0\nrecoil_threshold_keV = 3\n"),
        "matrix": ({}, "response", RESPONSE, MATRIX),
    },
    "HelmTable": {
        "convention": ({"form_factor": HELM}, "form_factor", '"helm"\n', '"helm"\nconvention = "rms"\n'),
        "skin_fm": ({"form_factor": HELM}, "form_factor", '"helm"\n', '"helm"\nskin_fm = 1.0\n'),
        "neutron_radius_fm": ({"form_factor": HELM}, "form_factor", '"helm"\n', '"helm"\nneutron_radius_fm = 5.0\n'),
    },
    "KleinNystrandTable": {
        "convention": ({"form_factor": KLEIN}, "form_factor", "d\"\n", 'd"\nconvention = "rms"\n'),
        "range_fm": ({"form_factor": KLEIN}, "form_factor", "d\"\n", 'd"\nrange_fm = 0.8\n'),
        "neutron_radius_fm": ({"form_factor": KLEIN}, "form_factor", "d\"\n", 'd"\nneutron_radius_fm = 5.0\n'),
    },
    "SymmetrisedFermiTable": {
        "convention": ({"form_factor": FERMI}, "form_factor", "i\"\n", 'i"\nconvention = "rms"\n'),
        "diffuseness_fm": ({"form_factor": FERMI}, "form_factor", "i\"\n", 'i"\ndiffuseness_fm = 0.6\n'),
        "neutron_radius_fm": ({"form_factor": FERMI}, "form_factor", "i\"\n", 'i"\nneutron_radius_fm = 5.0\n'),
    },
    "PointTable": {},
    "NuclideTable": {
        "Z": ({"detector": OWN_DETECTOR + OWN}, "detector", "Z = 80", "Z = 79"),
        "N": ({"detector": OWN_DETECTOR + OWN}, "detector", "N = 120", "N = 121"),
        "atomic_mass_u": ({"detector": OWN_DETECTOR + OWN}, "detector", "199.9", "200.5"),
        "charge_radius_fm": ({"detector": OWN_DETECTOR + OWN, "form_factor": RMS}, "detector", "5.4", "5.5"),
        "name": ({"detector": OWN_DETECTOR + OWN}, "detector", 'Xx200"', 'Xx201"'),
    },
    "DetectorTable": {
        "composition": ({}, "detector", "Na = 1", "Na = 2"),
        "mass_kg": ({}, "detector", "10.0", "11.0"),
        "bins": ({"data": "[data]\nsimulated = {}\n"}, "detector", "4,", "5,"),
        "nuclide": ({}, "detector", DETECTOR, OWN_DETECTOR + OWN),
        "response": ({}, "response", RESPONSE, RESPONSE + "acceptance = 0.5\n"),
        "form_factor": ({"form_factor": HELM}, "form_factor", "helm", "point"),
        "electron_response": ({}, "response", RESPONSE, RESPONSE + "[detector.electron_response]\n"),
        "component_response": (
            {}, "response", RESPONSE, RESPONSE + "[detector.component_response.nu_mu]\nacceptance = 0.5\n"
        ),
    },
    "BackgroundTable": {
        "column": ({"background": BACKGROUND}, "background", 'column = "n"', 'column = "m"'),
        "uncertainty": ({"background": BACKGROUND}, "background", "0.2", "0.9"),
    },
    "SimulatedTable": {
        "sin2_theta_w": ({"data": "[data]\nsimulated = { sin2_theta_w = 0.23 }\n"}, "data", "0.23", "0.25"),
    },
    "DataTable": {
        "table": ({}, "data", "data.csv", "rates.csv"),
        "simulated": ({}, "data", 'table = "data.csv"', "simulated = {}"),
        "exclude": ({}, "data", '.csv"\n', '.csv"\nexclude = [0]\n'),
    },
    "SteadyStateTable": {
        "per_day_keV_kg": (
            DAYS | RATE | {"source": REACTOR}, "steady_state", "", "[steady_state]\nper_day_keV_kg = 1\n"
        ),
        "per_day_keVee_kg": (
            DAYS | RATE | {"source": REACTOR, "response": RESPONSE + "quenching = 0.5\n"},
            "steady_state", "", "[steady_state]\nper_day_keVee_kg = 1\n",
        ),
        "protons_per_day": (
            RATE | {"steady_state": "[steady_state]\nper_day_keV_kg = 0.1\nprotons_per_day = 1e21\n"},
            "steady_state", "1e21", "2e21",
        ),
        "standard_model_fraction": (RATE, "steady_state", "", "[steady_state]\nstandard_model_fraction = 0.5\n"),
    },
    "UncertaintyTable": {
        "signal": ({}, "uncertainty", "0.1", "0.2"),
        "signal_on": ({}, "uncertainty", "0.1\n", '0.1\nsignal_on = "standard_model"\n'),
        "shape": ({}, "uncertainty", "0.1\n", "0.1\nshape = 0.2\n"),
        "variance": ({}, "uncertainty", "0.1\n", '0.1\nvariance = "prediction"\n'),
        "steady_state_weight": ({}, "uncertainty", "0.1\n", "0.1\nsteady_state_weight = 1.0\n"),
        "statistic": ({}, "uncertainty", "0.1\n", '0.1\nstatistic = "poisson"\n'),
    },
    "ExperimentFile": {
        "source": ({}, "source", SPALLATION, SPALLATION.replace("20", "30")),
        "detector": ({}, "detector", "10.0", "20.0"),
        "data": ({}, "data", 'table = "data.csv"', "simulated = {}"),
        "uncertainty": ({}, "uncertainty", "0.1", "0.3"),
        "exposure_protons_on_target": ({}, "head", "1e23", "2e23"),
        "exposure_days": (DAYS | {"source": REACTOR}, "head", "300", "310"),
        "steady_state": (RATE, "steady_state", "", "[steady_state]\nstandard_model_fraction = 0.2\n"),
        "background": ({}, "background", "", BACKGROUND),
        "time": ({"data": '[data]\nsimulated = {}\n'}, "axes", "", PULSE),
        "release": ({"data": '[data]\nsimulated = {}\n'}, "axes", "", SORTED),
        "calibration": ({}, "axes", "", CALIBRATED),
        "nuisance": ({}, "nuisance", "", SCALE),
    },
}  # fmt: skip
# Names for people, and what nothing follows from.
SILENT = {
    "TabulatedTable": {"species"}, "ResponseTable": {"observable"}, "DetectorTable": {"material"},
    "BackgroundTable": {"name"}, "ReleaseTable": {"name"},
    "ExperimentFile": {"name", "description", "citation", "data_set", "contains", "approximate", "published"},
    "ScaleTable": {"name"}, "ResponseVariationTable": {"name"}, "OnsetTable": {"name"},
    "CalibrationVariationTable": {"name"}, "BackgroundVariationTable": {"name"},
}  # fmt: skip


def tables():
    """All structs of the schema by name."""
    return {kind.__name__: kind for kind in Table.__subclasses__()}


def test_the_list_of_fields_is_complete():
    for name, kind in tables().items():
        assert set(kind.__struct_fields__) == set(FIELDS[name]) | SILENT.get(name, set()), name
    assert set(FIELDS) == set(tables())


@pytest.mark.filterwarnings("ignore::cevns_fast.experiments.reach.OutOfReachWarning")
@pytest.mark.parametrize(
    ("table", "field"), [(table, field) for table, fields in FIELDS.items() for field in fields], ids=str
)
def test_every_field_moves_the_numbers(tmp_path, table, field):
    """Loaded with a value that is not its default, each field changes counts, data or χ²."""
    parts, part, old, new = FIELDS[table][field]
    parts = dict(parts)
    if table in ("ReactorTable", "TabulatedTable"):
        parts = {"source": REACTOR if table == "ReactorTable" else TABULATED} | DAYS | parts
    file = File(tmp_path, **parts)
    if parts.get("source") == REACTOR:  # recoils of reactor neutrinos are small
        file.parts["detector"] = file.parts["detector"].replace("[2, 4, 8]", "[0.1, 0.2, 0.6]")
        for name in ("data.csv", "rates.csv"):
            (tmp_path / name).write_text(TABLES[name].replace("2,4,", "0.1,0.2,").replace("4,8,", "0.2,0.6,"))
    assert old in file.parts[part]
    changed = {part: new if not old else file.parts[part].replace(old, new)}
    if field == "file" or field.endswith("_column") or (table, field) == ("NuclideTable", "name"):
        if '"F"' in new or '"U"' in new or '"y"' in new or "other" in new or field == "name":
            with pytest.raises((ValueError, FileNotFoundError)):
                file.load(**changed)
            return
    before, after = numbers(file.load()), numbers(file.load(**changed))
    assert before.shape != after.shape or not np.array_equal(before, after)


def test_the_fields_that_no_test_had_killed(tmp_path):
    """With the right values: each is known from the formula."""
    file = File(tmp_path)
    counts = cf.event_rate(file.load(), SM)
    more = file.load(source=SPALLATION + "neutrinos_per_proton = 0.16\n")
    assert cf.event_rate(more, SM) == pytest.approx(2 * counts, rel=1e-12)
    cut = file.load(response=RESPONSE + "recoil_threshold_keV = 4.0\n")
    assert cf.event_rate(cut, SM) == pytest.approx([0.0, counts[1]], rel=1e-9)
    assert cut.detector.response.recoil_threshold == pytest.approx(4e-3)
    skin = file.load(form_factor=HELM + "skin_fm = 1.1\n")
    assert skin.detector.form_factor == cf.HelmFormFactor(skin=1.1)
    tabulated = File(tmp_path, TABULATED, "exposure_days = 300.0\n")
    nu = tabulated.load(source=TABULATED + "antineutrino = false\n").source
    assert (nu.antineutrino, nu.species) == (False, "nu_e") and tabulated.load().source.species == "anti_nu_e"
    for stated in ('species = "nu_e"\n', 'antineutrino = false\nspecies = "anti_nu_mu"\n'):
        with pytest.raises(ValueError, match=r"\[source\] species = '\w+', antineutrino = \w+: contradict"):
            tabulated.load(source=TABULATED + stated)


# --- units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("head", "exposure = 1e23", "exposure_days or exposure_protons_on_target"),
        ("source", "distance = 20.0", "distance_m"),
        ("source", "thermal_power = 3", "thermal_power_GW"),
        ("source", "total_flux = 1e13", "total_flux_per_cm2_s"),
        ("source", "energy_per_fission = 200", "energy_per_fission_MeV"),
        ("source", "endpoint = 8", "endpoint_MeV"),
        ("source", 'energy = "E"', "energy_column"),
        ("source", 'value = "E"', "value_column"),
        ("detector", "mass = 10.0", "mass_kg"),
        ("response", "light_yield = 1.0", "light_yield_per_keV"),
        ("response", "recoil_threshold = 1.0", "recoil_threshold_keV, in keV"),
        ("response", "quenching = { type = 'table', x_unit = 1e-3 }", "energy_unit"),
        ("response", "acceptance = { type = 'table', x_unit = 1e-3 }", "nothing"),
        ("form_factor", "[detector.form_factor]\nskin = 0.9", "skin_fm"),
        ("form_factor", "[detector.form_factor]\nneutron_radius = 5", "neutron_radius_fm"),
    ],
)
def test_old_keys_are_refused_with_the_new_name(tmp_path, part, old, new):
    file = File(tmp_path)
    with pytest.raises(ValueError, match=rf"mine\.toml: .*{old.split('=')[0].split()[-1]}.*{new}|{new}"):
        file.load(**{part: file.parts[part] + old + "\n"})


def test_exposures_fit_their_source(tmp_path):
    with pytest.raises(ValueError, match=r"exposure_protons_on_target: must be there, and no other"):
        File(tmp_path, exposure="exposure_days = 3.0\n").load()
    both = "exposure_days = 3.0\nexposure_protons_on_target = 1e23\n"
    with pytest.raises(ValueError, match=r"exposure_days: must be there, and no other"):
        File(tmp_path, REACTOR, both).load()
    with pytest.raises(ValueError, match=r"exposure_protons_on_target: must be there"):
        File(tmp_path, exposure="").load()


def test_keV_meant_as_MeV_is_said(tmp_path, bare):
    make = lambda **response: bare((0.8, 1.2), light_yield=1.0, **response)  # noqa: E731
    for threshold in (1.0, 5.0):
        with pytest.warns(cf.OutOfReachWarning, match=r"recoil_threshold = \d MeV: the largest recoil .* 45\.06 keV"):
            assert not cf.event_rate(make(recoil_threshold=threshold), SM).any()
    for x in ((0.0, 5.0, 50.0), (0.5, 1.0, 2.0, 5.0), (0.01, 1.0, 10.0, 100.0)):
        with pytest.warns(cf.OutOfReachWarning, match=r"quenching: \d of \d points lie beyond 45\.06 keV"):
            make(quenching=cf.Table(x, tuple(np.linspace(0.06, 0.1, len(x)))))
    with pytest.warns(cf.OutOfReachWarning, match=r"bins: begin at 800 .*largest recoil"):
        bare((800.0, 1200.0), light_yield=1.0)
    with pytest.warns(cf.OutOfReachWarning, match=r"bins: begin at 800 .* with its resolution"):
        bare((800.0, 1200.0), light_yield=1.0, smearing=cf.GaussianSmearing(1.0))
    with pytest.warns(cf.OutOfReachWarning, match=r"acceptance: is 0 in every bin, from 0\.8 to 1\.2"):
        make(acceptance=cf.LogisticAcceptance(0.9, 1.0, 800.0, 800.0))
    with pytest.warns(cf.OutOfReachWarning, match=r"acceptance: all points lie at most at 0\.002, below the bins"):
        make(acceptance=cf.Table((0.0005, 0.001, 0.002), (0.1, 0.5, 0.9)))  # of MeV, meant as keV
    with pytest.warns(
        cf.OutOfReachWarning, match=r"quenching: all points lie at most at 0\.05 keV, below what reaches"
    ):
        make(quenching=cf.Table((0.0, 5e-6, 5e-5), (0.06, 0.08, 0.1)))  # of eV, meant as keV
    make(quenching=cf.Table((0.0, 5e-3, 5e-2), (0.06, 0.08, 0.1)))  # nothing to say
    with pytest.warns(cf.OutOfReachWarning, match=r"bins: end at 0\.04, but recoils reach x = 45\.06 .* MeV\?"):
        bare((0.004, 0.01, 0.04), light_yield=1.0)
    for smearing in (cf.GaussianSmearing(constant=85.0), cf.GaussianSmearing(constant=0.1, linear=9.0)):
        with pytest.warns(cf.OutOfReachWarning, match=r"smearing: is .* more than the bins, which end at 20, and than"):
            bare((4.0, 20.0), light_yield=1.0, smearing=smearing)
    file = File(tmp_path)
    with pytest.warns(cf.OutOfReachWarning, match="mine: recoil_threshold = 1 MeV"):
        file.load(response=RESPONSE + "recoil_threshold_keV = 1000\n")


def test_a_quenching_table_in_either_unit(tmp_path):
    file = File(tmp_path, response=RESPONSE + Q_TABLE)
    in_keV = cf.event_rate(file.load(), SM)
    (tmp_path / "q.csv").write_text("T,Q\n0,0.5\n0.02,0.6\n0.1,0.7\n")
    in_MeV = cf.event_rate(file.load(response=RESPONSE + Q_TABLE.replace("keV", "MeV")), SM)
    assert in_MeV == pytest.approx(in_keV, rel=1e-9)
    unitless = Q_TABLE.replace('energy_unit = "keV", ', "")
    with pytest.raises(ValueError, match=r"missing required field `energy_unit`"):
        file.load(response=RESPONSE + unitless)


# --- targets, bins, backgrounds, quenching ------------------------------------------------------------------


def test_a_nuclide_of_the_users_own(tmp_path):
    file = File(tmp_path, detector=OWN_DETECTOR + OWN)
    (nuclide,) = file.load().detector.target.nuclides
    assert nuclide == cf.Nuclide("Xx200", 80, 120, 199.9, charge_radius=5.4)
    with pytest.raises(ValueError, match=r"\[detector\] charge radius of Xx200: has not been measured"):
        file.load(detector=OWN_DETECTOR + OWN.replace("charge_radius_fm = 5.4\n", ""), form_factor=RMS)
    with pytest.raises(ValueError, match=r"\[detector\] nuclide 'I127': is tabulated"):
        file.load(detector=DETECTOR + OWN.replace("Xx200", "I127"))


def test_bins_that_are_left_out(tmp_path):
    file = File(tmp_path, background=BACKGROUND)
    whole, part = file.load(), file.load(data=DATA + "exclude = [0]\n")
    assert (part.n_bins, part.kept, part.excluded) == (1, (1,), (0,))
    assert part.observed.tolist() == [150] and part.steady_state.tolist() == [30]
    assert part.backgrounds[0].counts.tolist() == [4]
    assert np.array_equal(cf.event_rate(part, SM), cf.event_rate(whole, SM)[1:])
    assert slow_twin.event_rate(part, SM) == pytest.approx(cf.event_rate(part, SM), rel=1e-9)
    assert [edge.tolist() for edge in part.bin_edges] == [[4.0], [8.0]]
    for wrong, message in (("[2]", "must be from 0 to 1"), ("[0, 0]", "each may be there once"),
                           ("[0, 1]", "at least one bin must be left"), ("[-1]", "must be from 0 to 1")):  # fmt: skip
        with pytest.raises(ValueError, match=f"excluded = .*: {message}"):
            file.load(data=DATA + f"exclude = {wrong}\n")


def test_masks(csi):
    """χ² of what is left is that of an experiment that never had the other bins."""
    bins = csi.detector.bins
    low = csi.mask([9, 10, 11])
    short = csi.replace(
        bins=bins[:10], observed=csi.observed[:9], steady_state=csi.steady_state[:9],
        backgrounds=(cf.Background("prompt neutrons", csi.backgrounds[0].counts[:9], 0.25),),
    )  # fmt: skip
    eft = cf.SingletEFT(10.0, C_S=0.05, a_M=1e-4)
    for interaction in (SM, eft):
        assert np.array_equal(cf.event_rate(low, interaction), cf.event_rate(csi, interaction)[:9])
        assert cf.Likelihood(low).chi2(interaction) == pytest.approx(cf.Likelihood(short).chi2(interaction), rel=1e-9)
    assert cf.limit_scan(low, eft, "C_S").upper == pytest.approx(cf.limit_scan(short, eft, "C_S").upper, rel=1e-9)
    fits = [cf.Likelihood(e, model=cf.SingletEFT, parameters=("m_chi", "C_S")) for e in (low, short)]
    assert fits[0]([20.0, 0.03]) == pytest.approx(fits[1]([20.0, 0.03]), rel=1e-7)
    assert csi.mask([]).n_bins == 12 and csi.mask(np.zeros(12, bool)).kept == tuple(range(12))
    twice = csi.mask([0, 2]).mask([0])  # bin 1 of the detector
    assert twice.excluded == (0, 1, 2) and np.array_equal(twice.observed, csi.observed[3:])
    assert twice.replace(exposure=1e23).excluded == (0, 1, 2)
    for wrong in ([12], [-1], [0, 0], list(range(12)), [0.5], "0", None, np.zeros(11, bool), [[1]]):
        with pytest.raises(ValueError, match="bins = "):
            csi.mask(wrong)


def test_a_mask_leaves_the_background_of_other_bins_alone():
    lar = cf.load("coherent-lar-610kg")
    whole, part = (measurement_of(e) for e in (lar, lar.mask([0, 1, 30])))
    kept = list(lar.mask([0, 1, 30]).kept)
    assert np.array_equal(part.steady_state, whole.steady_state[kept])
    assert np.array_equal(part.variance, whole.variance[kept])


def test_background_rates(bare, source):
    """Counts per keVee, and per day of beam."""
    component = cf.FluxComponent("n", False, np.ones_like, (1.0, 50.0))
    quenched = bare((2.0, 3.0, 6.0), source=source(component), exposure=10.0, light_yield=2.0, quenching=0.5)
    rated = quenched.replace(steady_state=cf.BackgroundRate(per_day_keVee_kg=0.5))
    assert rated.steady_state_counts(np.zeros(2)) == pytest.approx(np.array([0.5, 1.5]) * 0.5 * 10 * 14.57)
    assert cf.reference.likelihood.steady_state_counts(rated, np.zeros(2)) == pytest.approx(
        rated.steady_state_counts(np.zeros(2))
    )
    with pytest.raises(ValueError, match="a rate per keV of recoil needs an unquenched detector; per_day_keVee_kg"):
        quenched.replace(steady_state=cf.BackgroundRate(0.5))
    csi = bare((2.0, 3.0), exposure=1e23, light_yield=2.0)  # the light yield alone: keV of recoil
    beam = csi.replace(steady_state=cf.BackgroundRate(0.5, exposure_per_day=1e21))
    assert beam.steady_state_counts(np.zeros(1)) == pytest.approx([0.5 * 0.5 * 100 * 14.57])
    assert beam.replace(exposure=2e23).steady_state_counts(np.zeros(1)) == pytest.approx([0.5 * 0.5 * 200 * 14.57])
    with pytest.raises(ValueError, match=r"a rate per day needs .*days, or exposure_per_day, in protons on target"):
        csi.replace(steady_state=cf.BackgroundRate(0.5))
    with pytest.raises(ValueError, match="exposure_per_day: must be left out"):
        rated.replace(steady_state=cf.BackgroundRate(per_day_keVee_kg=0.5, exposure_per_day=1.0))
    for arguments in ({}, {"per_day_keV_kg": 1.0, "per_day_keVee_kg": 1.0}):
        with pytest.raises(ValueError, match="must be exactly one of them"):
            cf.BackgroundRate(**arguments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{ type = "lindhard", element = "Ge", k = 0.162 }', cf.LindhardQuenching("Ge", 0.162)),
        ('{ type = "lindhard", element = "I" }', cf.LindhardQuenching("I")),
        ('{ type = "linear", intercept = 0.246, slope_per_keV = 7.5e-4 }', cf.LinearQuenching(0.246, 0.75)),
        ('{ type = "polynomial", coefficients = [0.25, 0.125], energy_unit = "MeV" }',
         cf.PolynomialQuenching((0.25, 0.125))),
        ('{ type = "polynomial", coefficients = [0.25, 5e-4, 2e-6], energy_unit = "keV" }',
         cf.PolynomialQuenching((0.25, 0.5, 2.0))),
    ],
)  # fmt: skip
def test_quenching_by_name(tmp_path, text, expected):
    found = File(tmp_path).load(response=RESPONSE + f"quenching = {text}\n").detector.response.quenching
    T = np.array([0.001, 0.02, 0.05])
    assert type(found) is type(expected) and found(T) == pytest.approx(expected(T), rel=1e-12)


def test_what_a_smearing_does_not_state_is_zero(tmp_path):
    smearing = File(tmp_path).load(response=RESPONSE + GAUSS).detector.response.smearing
    assert smearing.width(0.5) == 0.3


# --- odd files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mine.toml", "data.csv", "q.csv", "a.csv", "flux.csv"])
def test_byte_order_marks(tmp_path, name):
    file = File(tmp_path, response=RESPONSE + Q_TABLE + A_TABLE)
    if name == "flux.csv":
        file = File(tmp_path, TABULATED, "exposure_days = 300.0\n")
    expected = numbers(file.load())
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert np.array_equal(numbers(cf.load(tmp_path / "mine.toml")), expected)
    path.write_text(path.read_bytes().decode("utf-8-sig"), encoding="utf-16")
    with pytest.raises(ValueError, match=rf"{re.escape(name)}.*must be UTF-8 text"):
        cf.load(tmp_path / "mine.toml")


DEEP = "[" * 5000 + "]" * 5000
HUGE = "9" * 4000


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("head", f"x = {DEEP}", "nested too deeply"),
        ("head", "x = " + "{a=" * 3000 + "1" + "}" * 3000, "nested too deeply"),
        ("head", "[" + ".".join("a" * 3000) + "]", "unknown field|nested too deeply"),
        ("head", f"x = {'9' * 5000}", "digits"),
        ("detector", f"bins = [2, 4, {HUGE}]", "bins"),
        ("detector", f"mass_kg = {HUGE}", "mass"),
        ("detector", f"composition = {{ Na = {HUGE} }}", "composition"),
        ("detector", OWN.replace("120", HUGE), "N"),
        ("source", f"distance_m = {HUGE}", "distance"),
        ("data", f"exclude = [{HUGE}]", "exclude"),
        ("head", "name = 2020-01-01", "name"),
        ("head", 'name = "\\u0000"\n[x]', "unknown field"),
    ],
)
def test_files_that_are_too_much(tmp_path, part, text, message):
    """Deep nesting and huge integers are refused with the name of the file, and the field's where there is one."""
    file = File(tmp_path)
    key = text.split(" = ")[0]
    kept = "\n".join(line for line in file.parts[part].splitlines() if not line.startswith(f"{key} ="))
    with pytest.raises(ValueError, match=message) as error:
        file.load(**{part: f"{kept}\n{text}\n"})
    assert "mine.toml" in str(error.value) and len(str(error.value)) < 10_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("low,high,observed\n2,4," + "1" * 200_000 + "\n4,8,1\n", "is no CSV table: field larger"),
        ("low,high,observed\n2,4,1\x00\n4,8,1\n", "is no CSV table|could not convert"),
        ("low,high,observed\n2,4,1e999\n4,8,1\n", "observed"),
        ("low,high,observed\n2,4," + "9" * 400 + "\n4,8,1\n", "observed"),
        ("low,high,observed,observed\n2,4,1,2\n4,8,1,2\n", "column 'observed' is there twice"),
        ('low,high,observed\n2,4,"1\n4,8,1\n', "cells|convert|low, high"),
        (b"low,high,observed\n2,4,\xff\n4,8,1\n", "must be UTF-8 text"),
    ],
)
def test_tables_that_are_too_much(tmp_path, text, message):
    file = File(tmp_path)
    (tmp_path / "data.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as error:
        file.load()
    assert "mine.toml" in str(error.value)


def test_what_is_no_file(tmp_path):
    """Folders, devices, and pipes that nobody writes to: refused at once, with their names."""
    file = File(tmp_path)
    file.load()
    (tmp_path / "data.csv").unlink()
    (tmp_path / "data.csv").mkdir()
    with pytest.raises(ValueError, match=r"mine\.toml: \[data\] data\.csv: is no regular file"):
        file.load()
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ValueError, match=r"folder\.toml: is no regular file"):
        cf.load(tmp_path / "folder.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ValueError, match=r"pipe\.toml: is no regular file"):
        cf.load(tmp_path / "pipe.toml")
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"device\.toml: is no regular file"):
        cf.load(tmp_path / "device.toml")
    for name in ("x" * 5000 + ".toml", "a\0b.toml"):
        with pytest.raises((ValueError, FileNotFoundError)):
            cf.load(name)


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/hostname", "a/../../secret.csv", "", "/dev/stdin"])
def test_files_outside_the_folder(tmp_path, name):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text(TABLES["data.csv"])
    with pytest.raises(ValueError, match=r"mine\.toml: \[data\] .*must be a file beside the experiment's"):
        File(folder).load(data=f'[data]\ntable = "{name}"\n')
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "elsewhere").symlink_to(tmp_path)
    for link in ("link.csv", "elsewhere/secret.csv"):
        with pytest.raises(ValueError, match=r"mine\.toml: \[data\] .*must be a file beside .*not a link elsewhere"):
            File(folder).load(data=f'[data]\ntable = "{link}"\n')
    (folder / "tables").mkdir()
    (folder / "near.csv").symlink_to(folder / "tables" / "x.csv")
    (folder / "tables" / "x.csv").write_text(TABLES["data.csv"])
    for name in ("tables/x.csv", "near.csv"):
        assert File(folder).load(data=f'[data]\ntable = "{name}"\n').n_bins == 2


def test_errors_of_an_older_msgspec(tmp_path, monkeypatch):
    """Up to 0.20 its ValidationError is no ValueError."""

    class Older(msgspec.MsgspecError):
        pass

    assert not issubclass(msgspec.MsgspecError, ValueError)

    def convert(*_):
        raise Older("Expected `float`, got `str` - at `$.detector.mass_kg`")

    monkeypatch.setattr(read.msgspec, "convert", convert)
    with pytest.raises(ValueError, match=r"mine\.toml: Expected `float`, got `str` - at `\$\.detector\.mass_kg`"):
        File(tmp_path).load()


# --- the reference page ---------------------------------------------------------------------------------------


def documented():
    """Table of the page → {key: the cell of its default}."""
    found: dict[str, dict[str, str]] = {}
    text = DOCS.read_text("utf-8")
    for name, section in re.findall(r"^<!-- (\w+) -->\n(.*?)(?=^<!-- |\Z)", text, re.DOTALL | re.MULTILINE):
        rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|", section, re.MULTILINE)
        assert all(unit.strip() and meaning.strip() for _, unit, _, meaning in rows), name
        found[name] = {key: default.strip() for key, _, default, _ in rows}
    return found


def test_the_page_lists_every_key_and_default():
    page = documented()
    for name, kind in tables().items():
        info = {f.encode_name: f for f in msgspec.structs.fields(kind)}
        tag = kind.__struct_config__.tag
        keys = ({"type"} if tag else set()) | set(info)
        assert set(page.get(name, {})) == keys, name
        if tag:
            assert page[name].pop("type") == f'`"{tag}"`', name
        for key, cell in page[name].items():
            each = info[key]
            if each.required:
                assert cell == "required", (name, key)
            elif each.default is not msgspec.NODEFAULT and each.default is not None and each.default != []:
                default = str(each.default).lower() if isinstance(each.default, bool) else each.default
                shown = f'"{default}"' if isinstance(each.default, str) else f"{default}"
                assert cell == f"`{shown}`" or cell == "empty", (name, key, cell)
            else:
                assert cell != "required", (name, key)
    assert set(page) == set(tables())


def test_every_choice_is_on_the_page():
    text = DOCS.read_text("utf-8")
    for kind in tables().values():
        for annotation in kind.__annotations__.values():
            parts = [annotation]
            for part in parts:
                parts += get_args(part) if get_origin(part) is not Literal else ()
                for choice in get_args(part) if get_origin(part) is Literal else ():
                    assert f'"{choice}"' in text, choice


def test_the_examples_of_the_page_load(tmp_path):
    """Blocks of TOML are whole files if they begin with a name."""
    text = DOCS.read_text("utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    whole = [block for block in blocks if block.startswith("name = ")]
    assert len(whole) >= 2
    for name, table in re.findall(r"^```text\n# ([\w.-]+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(table)
    for block in whole:
        (tmp_path / "example.toml").write_text(block)
        assert np.all(cf.event_rate(cf.load(tmp_path / "example.toml"), SM) >= 0)
