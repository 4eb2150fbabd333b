"""Models of the command line beyond those of the papers."""

import pytest

from cevns_fast import cli


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
