"""Build commands that use Python's limited API where the interpreter has it: a free-threaded one has none.

``pyproject.toml`` names them. Elsewhere one wheel serves every Python from 3.11 on.
"""

import sysconfig

from setuptools.command import bdist_wheel as wheels
from setuptools.command import build_ext as extensions

LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")


class build_ext(extensions.build_ext):
    """Names the compiled module."""

    def finalize_options(self) -> None:
        super().finalize_options()
        for extension in self.extensions:
            extension.py_limited_api = LIMITED_API


class bdist_wheel(wheels.bdist_wheel):
    """Tags the wheel."""

    def finalize_options(self) -> None:
        if LIMITED_API:
            self.py_limited_api = "cp311"
        super().finalize_options()
