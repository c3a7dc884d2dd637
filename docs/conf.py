"""Sphinx's configuration: ``make docs``."""

import sys
from pathlib import Path

import numpy.typing
from sphinx.application import Sphinx


class ArrayLike:
    """Stands for NumPy's ArrayLike, whose union of types would fill a paragraph in the API."""


numpy.typing.ArrayLike = ArrayLike  # before the package is imported
sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.generate import pages
from l1distill import __version__

project = "l1distill"
author = "l1distill maintainers"
copyright = "l1distill maintainers, BSD-3-Clause"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_generated", "generate"]
myst_enable_extensions = ["deflist", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 1800  # of a cell; a busy machine is slow
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"l1distill {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
copybutton_exclude = ".linenos, .gp, .go"


def _generate(_: Sphinx) -> None:
    pages.write(pages.generated())


def setup(app: Sphinx) -> None:
    """Make the generated parts before pages are read."""
    app.connect("builder-inited", _generate)
