"""Build commands that know the compiler, and use Python's limited API where the interpreter has it.

``pyproject.toml`` names them. A free-threaded interpreter has none; elsewhere one wheel serves
every Python from 3.11 on.
"""

import sysconfig

from setuptools.command import bdist_wheel as wheels
from setuptools.command import build_ext as extensions

LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")
# Nobody asks for errno or for traps, which keep loops with square roots and branches from becoming vectors.
UNIX = ["-O3", "-fno-math-errno", "-fno-trapping-math"]


class build_ext(extensions.build_ext):
    """Names the compiled module."""

    def finalize_options(self) -> None:
        super().finalize_options()
        for extension in self.extensions:
            extension.py_limited_api = LIMITED_API

    def build_extensions(self) -> None:
        """With the options of this compiler; Windows' own has no library of mathematics apart."""
        windows = self.compiler.compiler_type == "msvc"
        for extension in self.extensions:
            extension.extra_compile_args = ["/O2", "/std:c11"] if windows else UNIX
            extension.libraries = [] if windows else ["m"]
        super().build_extensions()


class bdist_wheel(wheels.bdist_wheel):
    """Tags the wheel."""

    def finalize_options(self) -> None:
        if LIMITED_API:
            self.py_limited_api = "cp311"
        super().finalize_options()
