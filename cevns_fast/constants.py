"""Numbers of nature and unit conversions.

Inside the library everything is in MeV; cross sections handed to users are in cm².
Each number states its unit and source; `tests/physics/test_constants.py` checks it against a second one.
"""

from typing import Final

# --- masses, MeV: PDG 2022 (CODATA 2018 for e, p, n) ---------------------------------------
M_ELECTRON: Final = 0.51099895
M_MUON: Final = 105.6583755
M_TAU: Final = 1776.86
M_PION: Final = 139.57039  # charged pion
M_PROTON: Final = 938.27209
M_NEUTRON: Final = 939.56542
M_W: Final = 80379.0  # PDG 2018, the edition Chang & Liao cite
M_BOTTOM: Final = 4180.0  # MS-bar mass at its own scale, PDG 2022
M_PLANCK: Final = 1.220890e22  # (ħc/G)^½, CODATA 2018

# --- couplings -----------------------------------------------------------------------------
G_FERMI: Final = 1.1663787e-11  # MeV⁻², PDG 2022
ALPHA: Final = 1.0 / 137.035999  # fine-structure constant at q² = 0, CODATA 2018
SIN2_THETA_W: Final = 0.2312  # MS-bar at the Z pole, as the papers use it
SIN2_THETA_W_LOW_ENERGY: Final = 0.23857  # at q² → 0, Erler & Ferro-Hernández 2018

# --- unit conversions ----------------------------------------------------------------------
HBAR_C: Final = 197.3269804  # MeV fm, CODATA 2018
HBAR: Final = 6.582119569e-22  # MeV s, CODATA 2018
SPEED_OF_LIGHT: Final = 299792458.0  # m/s, exact (SI 2019)
MEV2_CM2: Final = HBAR_C**2 * 1e-26  # (ħc)² = 3.8937937e-22 MeV² cm²
AVOGADRO: Final = 6.02214076e23  # 1/mol, exact (SI 2019)
ATOMIC_MASS_UNIT: Final = 931.49410372  # MeV, CODATA 2022
KEV: Final = 1e-3  # MeV
SECONDS_PER_DAY: Final = 86400.0
DAYS_PER_YEAR: Final = 365.25  # Julian year
WATT_IN_MEV_PER_SECOND: Final = 1e-6 / 1.602176634e-19  # exact (SI 2019)

# --- cosmology -----------------------------------------------------------------------------
NEUTRAL_HIGGS_VEV: Final = 174e3  # MeV, <H⁰> as Brdar, Rodejohann & Xu have it; (2√2 G_F)^-½ = 174.10 GeV
AGE_OF_UNIVERSE: Final = 13.787e9 * DAYS_PER_YEAR * SECONDS_PER_DAY  # s, Planck 2018
OMEGA_DARK_MATTER_H2: Final = 0.1200  # Planck 2018
