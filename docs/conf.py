"""The documentation site: ``nox -s docs`` builds it, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

import pystrix_typed

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pystrix-typed"
author = "pystrix-typed contributors"
project_copyright = "pystrix-typed contributors"
version = release = pystrix_typed.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "names",
    "pictures",
]
exclude_patterns = ["_build", "_ext"]
root_doc = "index"
language = "en"
smartquotes_action = "D"  # dashes; quotes stay as they are written

# ---- the pages ----

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# ---- what comes from docstrings ----

# A docstring is written to be read in the source, so a single backtick is code there, and a link
# where the name is one of the package's: see _ext/names.py.
default_role = "py:named"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 72
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes")]
add_module_names = False

# ---- the look ----

html_theme = "furo"
html_title = f"pystrix-typed {version}"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e69", "color-brand-content": "#0b6e69"},
    "dark_css_variables": {"color-brand-primary": "#4fd1c5", "color-brand-content": "#4fd1c5"},
    "navigation_with_keys": True,
}
copybutton_exclude = ".linenos, .gp, .go"

# ---- nox -s links ----

linkcheck_timeout = 15
linkcheck_retries = 2
linkcheck_workers = 2
