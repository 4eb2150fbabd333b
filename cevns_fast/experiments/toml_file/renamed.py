"""Keys that have another name now."""

from collections.abc import Mapping
from typing import Any

# Those did not state their unit, or stated it as a factor; by table: what they are called now.
RENAMED: dict[str, dict[str, str]] = {
    "": {"exposure": "exposure_days or exposure_protons_on_target"},
    "source": {
        "distance": "distance_m",
        "thermal_power": "thermal_power_GW",
        "total_flux": "total_flux_per_cm2_s",
        "energy_per_fission": "energy_per_fission_MeV",
        "endpoint": "endpoint_MeV",
        "energy": "energy_column",
        "value": "value_column",
    },
    "detector": {"mass": "mass_kg"},
    "detector.response": {"light_yield": "light_yield_per_keV", "recoil_threshold": "recoil_threshold_keV, in keV"},
    "detector.response.quenching": {
        "x": "energy_column",
        "x_unit": 'energy_unit, "keV" or "MeV"',
        "y": "value_column",
    },
    "detector.response.acceptance": {
        "x": "x_column",
        "x_unit": "nothing, x is in units of the observable",
        "y": "value_column",
    },
    "detector.form_factor": {"skin": "skin_fm", "neutron_radius": "neutron_radius_fm"},
}


def refuse_old_names(raw: Mapping[str, Any]) -> None:
    """An old key would be "unknown", and perhaps in another unit than the new one."""
    for path, names in RENAMED.items():
        table: Any = raw
        for key in filter(None, path.split(".")):
            table = table.get(key) if isinstance(table, Mapping) else None
        for old, new in names.items():
            if isinstance(table, Mapping) and old in table:
                where = f"[{path}] " if path else ""
                raise ValueError(f"{where}{old}: is called {new} now: keys state their unit")
