"""Models of the command line beyond those of the papers."""

import pytest

import cevns_fast as cf
from cevns_fast import cli
from cevns_fast.data import data_path


def said(capsys, *words):
    assert cli.main([*words]) == 0
    return capsys.readouterr().out


def test_rate_of_an_interaction_that_interferes(capsys):
    found = said(capsys, "rate", "--model", "nsi", "eps_ee_u=0.1")
    assert "new physics -42.35, total 123.6" in found


def test_limits_without_a_mass(capsys, tmp_path):
    found = said(capsys, "limit", "--model", "nsi", "-c", "eps_ee_u", "eps_emu_d", "-o", str(tmp_path))
    assert " eps_ee_u   -0.1254  0.5163" in found
    assert (tmp_path / "limits-nsi-coherent-csi-2017.csv").read_text(encoding="utf-8").count("\neps_") == 2


def test_limits_over_the_mass_of_a_vector(capsys, tmp_path):
    found = said(capsys, "limit", "--model", "light-vector", "charges=B-L", "--masses", "4", "-o", str(tmp_path))
    assert "m_zprime in MeV" in found and "5.61" in found


def test_scan_of_two_epsilons(capsys, tmp_path):
    pytest.importorskip("xarray")
    words = "scan", "eps_ee_u", "eps_mumu_u", "--model", "nsi", "--points", "21", "-o", str(tmp_path)
    assert "best fit: eps_ee_u = 0.1954" in said(capsys, *words)
    assert (tmp_path / "scan-coherent-csi-2017-eps_ee_u-eps_mumu_u.nc").exists()


def test_decays_beside_limits_on_a_dipole(capsys, tmp_path):
    found = said(capsys, "limit", "-c", "a_M", "--masses", "12", "-o", str(tmp_path))
    assert "χ → νγ within 0.3 m" in found


# --- sources, targets and the mass that varies ----------------------------------------------------


def test_a_sterile_neutrino_on_the_way(capsys, tmp_path):
    csi = cf.load("coherent-csi-2017")
    source = cf.OscillatedSource(csi.source, delta_m2=1.0, Ue4_sq=0.1, Umu4_sq=0.05)
    expected = cf.event_rate(csi.replace(source=source), cf.StandardModel()).sum()
    assert f"Standard Model {expected:.4g}," in said(capsys, "rate", "--sterile", "delta_m2=1,Ue4_sq=0.1,Umu4_sq=0.05")
    words = "limit", "-c", "C_V", "--masses", "2", "-o", str(tmp_path), "--sterile", "delta_m2=1,Ue4_sq=0.1"
    said(capsys, *words)
    text = (tmp_path / "limits-coherent-csi-2017.csv").read_text(encoding="utf-8")
    assert "sterile neutrino: delta_m2 1.0, Ue4_sq 0.1" in text
    assert refused(capsys, "rate", "--sterile", "Ue4_sq=0.1").endswith("must give delta_m2, e.g. delta_m2=1,Ue4_sq=0.1")
    assert "--sterile: unknown field 'Ue4'" in refused(capsys, "rate", "--sterile", "Ue4=0.1,delta_m2=1")


def test_mixing_that_is_not_unitary(capsys, tmp_path):
    csi = cf.load("coherent-csi-2017")
    source = cf.NonUnitarySource(csi.source, [[0.98, 0, 0], [0.01j, 0.99, 0], [0, 0, 1]], from_muon_decay=True)
    expected = cf.event_rate(csi.replace(source=source), cf.StandardModel()).sum()
    words = "rate", "--non-unitary", "e1=0.98,mu1=0.01j,mu2=0.99,from_muon_decay=true"
    assert f"Standard Model {expected:.4g}," in said(capsys, *words)
    assert "--non-unitary: unknown field 'e4'" in refused(capsys, "rate", "--non-unitary", "e4=1")
    assert "--sterile: must be left out" in refused(capsys, *words, "--sterile", "delta_m2=1")


def test_a_scalar_between_massless_neutrinos(capsys, tmp_path):
    """Its own mass varies: m_S, with m_chi = 0."""
    words = "limit", "--model", "scalar", "m_chi=0", "--mass", "m_S", "--mass-range", "1", "10", "--masses", "2"
    found = said(capsys, *words, "-o", str(tmp_path))
    scalars = [cf.ScalarMediator(0.0, m) for m in (1.0, 10.0)]
    for upper in cf.limit_scan(cf.load("coherent-csi-2017"), scalars, "y_bar", cl=0.9).upper:
        assert f"{upper:.4g}" in found
    assert "--mass = 'm_x'" in refused(capsys, *words[:4], "--mass", "m_x")


def test_the_weak_mixing_angle(capsys, tmp_path):
    csi, model = cf.load("coherent-csi-2017"), cf.StandardModel(0.24, "radiative")
    assert f"total {cf.event_rate(csi, model).sum():.4g}," in said(
        capsys, "rate", "--model", "standard-model", "sin2_theta_w=0.24", "couplings=radiative"
    )
    found = said(capsys, "limit", "--model", "standard-model", "-o", str(tmp_path))
    assert " sin2_theta_w  0.1213  0.3209" in found and found.count("sin2_theta_w") == 1


@pytest.fixture
def electrons(tmp_path):
    """A detector that counts electrons as well."""
    text = (data_path("experiments") / "conus-4kg.toml").read_text(encoding="utf-8")
    path = tmp_path / "both.toml"
    path.write_text(text.replace("[data]", "[detector.electron_response]\n\n[data]"), encoding="utf-8")
    return str(path)


def test_electrons(capsys, tmp_path, electrons):
    both, scalar = cf.load(electrons), cf.ElectronEFT(0.0, S=1e-10, m_mediator=0.05)
    words = "m_chi=0", "m_mediator=0.05", "-e", electrons, "--model", "electron"
    expected = cf.event_rate(both, scalar, standard_model=False).sum()
    assert f"new physics {expected:.4g}," in said(capsys, "rate", "S=1e-10", *words)
    weak = cf.event_rate(both, cf.StandardModel(), target="electrons").sum()
    assert f"Standard Model {weak:.4g}," in said(capsys, "rate", "-e", electrons, "--target", "electrons")
    found = said(
        capsys, "limit", *words[1:], "-c", "S", "--mass-range", "0.1", "1", "--masses", "2", "-o", str(tmp_path)
    )
    eft = [scalar.replace(m_chi=m) for m in (0.1, 1.0)]
    for upper in cf.limit_scan(both, eft, "S", cl=0.9).upper:
        assert f"{upper:.4g}" in found
    pytest.importorskip("xarray")
    plane = "scan", "S", "P", *words, "--points", "11", "-o", str(tmp_path)
    assert "best fit: S = " in said(capsys, *plane)
    message = refused(capsys, "limit", "--model", "electron", "-o", str(tmp_path))
    assert "--model electron: coherent-csi-2017: counts nuclei only" in message


def refused(capsys, *words):
    assert cli.main([*words]) == 2
    return capsys.readouterr().err.strip()
