"""Bars of progress, shown where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def is_watched() -> bool:
    """Whether the standard error stream is a terminal, or shown in a notebook."""
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    # A notebook's stream is no terminal. IPython is asked only if it runs already.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def progress_bar(
    items: Iterable | None = None,
    desc: str | None = None,
    *,
    total: int | None = None,
    unit: str = "it",
    unit_scale: bool = False,
    leave: bool = True,
    bar_format: str | None = None,
    shown: bool | None = None,
) -> tqdm:
    """Return a bar of tqdm, on the standard error stream.

    Parameters
    ----------
    items, desc, total, unit, unit_scale, leave, bar_format
        As tqdm takes them.
    shown : bool, optional
        By default where somebody watches.
    """
    from tqdm import tqdm

    return tqdm(
        items,
        desc,
        total,
        leave,
        unit=unit,
        unit_scale=unit_scale,
        bar_format=bar_format,
        disable=not (is_watched() if shown is None else shown),
    )
