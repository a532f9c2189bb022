"""The site of the documentation: `tox -e docs` builds it, offline and strictly."""

from __future__ import annotations

import router

project = "router"
author = "The router maintainers"
version = release = router.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
root_doc = "index"
nitpicky = False

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # a default is shown as it is written, not as it prints
autodoc_typehints = "description"
autodoc_class_signature = "separated"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # a link to a file beside the page, which is no page

html_theme = "furo"
html_title = f"router {version}"
html_theme_options = {"navigation_with_keys": True}

man_pages = [("command", "router", "choose a model by what you need", author, 1)]
