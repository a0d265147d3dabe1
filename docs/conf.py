"""How Sphinx makes the site: `make docs` writes docs/_build/html."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import fastdl  # noqa: E402

project = "fastdl"
license_text = (HERE.parent / "LICENSE").read_text(encoding="utf-8")
(project_copyright,) = re.findall(r"^Copyright \(c\) (.+)$", license_text, re.M)
version = release = fastdl.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "beside",
    "mathml",
    "names",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore = [("py:class", "mpi4py.MPI.Comm")]  # where mpi4py is missing
smartquotes = False  # quotes as they are written

# Pages in Markdown, as a code host shows them too.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# The reference, from the docstrings.
public_modules = {
    "fastdl": "what everything begins with",
    "fastdl.nn": "layers, losses, and what models are made of",
    "fastdl.nn.init": "initial weights",
    "fastdl.functional": "differentiable operations",
    "fastdl.optim": "optimisers, and learning rates that change",
    "fastdl.optim.lr_scheduler": "learning rates in PyTorch's words",
    "fastdl.train": "the training loop, callbacks, recipes",
    "fastdl.data": "mini-batches, splits, augmentation",
    "fastdl.datasets": "data sets, by name or from files",
    "fastdl.models": "networks, ready to train",
    "fastdl.metrics": "how good the answers are",
    "fastdl.report": "pictures and pages",
    "fastdl.report.errors": "mistakes, tagged in the browser",
    "fastdl.strategy": "what to do next",
    "fastdl.tune": "the search of hyperparameters",
    "fastdl.sklearn": "estimators for scikit-learn",
    "fastdl.interop": "weights and models of others",
    "fastdl.parallel": "several processes",
    "fastdl.random": "seeds",
    "fastdl.errors": "what is raised",
    "fastdl.typing": "what arguments may be",
    "fastdl.backend": "who computes: compiled or NumPy",
    "fastdl.reference": "every kernel in NumPy",
}
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
add_module_names = False
toc_object_entries = False  # each page would copy all of them

# All that a page loads lies beside it: the site is read without a network.
html_theme = "furo"
html_math_renderer = "mathml"
html_title = "fastdl"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
