"""Settings of Sphinx. `python3 run.py docs` builds the site; warnings are errors."""

import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import api_pages  # noqa: E402

import jaxkeras  # noqa: E402

project = "jaxkeras"
copyright = "the jaxkeras authors"
version = release = jaxkeras.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are stored with their outputs; a test runs them
nb_merge_streams = True
default_role = "code"  # `x` in a docstring is code
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # signatures show the types
napoleon_custom_sections = ["Input shape", "Output shape", "Result", "Reference", ("Call arguments", "params_style")]
napoleon_use_rtype = False
python_maximum_signature_line_length = 100
add_module_names = False
copybutton_prompt_text = ">>> "
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = "jaxkeras"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]


def copy_notebooks() -> None:
    """Pages must be below the folder of the site; the notebooks are shared with users of the repository."""
    target = HERE / "tutorials" / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", target, ignore=shutil.ignore_patterns("ko", ".ipynb_checkpoints"))


def setup(app):  # noqa: ANN001, ANN201
    copy_notebooks()
    api_pages.write(HERE / "api")
    app.connect("autodoc-process-docstring", api_pages.to_markup, priority=0)
    app.connect("autodoc-skip-member", api_pages.skip_member)
