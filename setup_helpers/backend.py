"""PEP 517/660 build backend: setuptools' own, around which the C kernels are prepared and left in place.

``pyproject.toml`` describes the extension; a setup.py is not needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import build_kernels
from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """PEP 517 hook. The source folder can be imported afterwards as well."""
    build_kernels.emit_c_code()
    wheel = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    build_kernels.leave_in_place(Path(wheel_directory, wheel))
    return wheel


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """PEP 660 hook."""
    build_kernels.emit_c_code()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
