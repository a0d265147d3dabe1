"""What a package exports: the names that its ``__init__.py`` imports.

Each name has one line there: ``from fastdl.nn.linear import Linear as Linear``. The
alias tells type checkers that the name is exported (PEP 484). They cannot evaluate a
computed ``__all__``, so `publish` sets it where only Python sees it.
"""

from __future__ import annotations

import sys
from types import ModuleType


def publish(package: str, *modules: str) -> None:
    """Set a package's ``__all__``, for star imports; call it after the imports.

    Parameters
    ----------
    package
        ``__name__``.
    *modules
        The submodules that are public too; no others are exported.
    """
    names = vars(sys.modules[package])
    public = {
        name
        for name, value in names.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    names["__all__"] = sorted(public.union(modules))
