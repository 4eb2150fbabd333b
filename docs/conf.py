"""Sphinx configuration: builds offline, warnings are errors in CI."""

import cevns_fast

project = "cevns_fast"
author = "the cevns_fast developers"
release = version = cevns_fast.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "cevns_fast"
html_static_path = ["_static"]
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc sections state types with their units
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
