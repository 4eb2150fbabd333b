"""Sphinx configuration: builds offline, pages need no network, warnings are errors in CI."""

import os
import sys
from pathlib import Path

import cevns_fast

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cevns_fast"
author = "the cevns_fast developers"
release = version = cevns_fast.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "command_line", "live_explorer"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "cevns_fast"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
exclude_patterns = ["_build"]

# Notebooks run at every build, each in an empty folder; one cell that fails, or takes two minutes, fails the build.
os.environ.pop("MPLBACKEND", None)  # kernels choose it, and show figures
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_output_stderr = "remove-warn"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc sections state types with their units
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # several of a kind may share a line
napoleon_use_rtype = False
