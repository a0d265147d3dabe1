"""What a package exports: the names that its ``__init__.py`` imports.

Each stands there on one line, ``from fastdl.nn.linear import Linear as Linear``. The
alias tells type checkers that the name is meant for others (PEP 484); they could not
read an ``__all__`` that is computed, so `publish` sets it where only Python sees it.
"""

from __future__ import annotations

import sys
from types import ModuleType


def publish(package: str, *modules: str) -> None:
    """Set ``__all__`` for ``from package import *``; the last line of its imports.

    Parameters
    ----------
    package
        ``__name__``.
    *modules
        Those of its modules that are public too; no other is exported.
    """
    names = vars(sys.modules[package])
    public = {
        name
        for name, value in names.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    names["__all__"] = sorted(public.union(modules))
