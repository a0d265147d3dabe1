"""Outcomes that could not be stored yet, as files in the folder of the search.

Hours of training are not lost because a database was down for a few minutes too long.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastdl.errors import DataError
from fastdl.files import read_json, write_text
from fastdl.tune.study import LostError, Study


def keep(folder: Path, own: int, outcome: dict[str, Any]) -> None:
    """Write the outcome of a try, the arguments of `Study.finish`, into a file."""
    write_text(folder / f"unsent-{own}.json", json.dumps(outcome | {"own": own}) + "\n")


def deliver(study: Study, folder: Path) -> None:
    """Store what is in the files, and remove them.

    If a try was declared void meanwhile, the trial is repeated and the outcome dropped.

    Raises
    ------
    DataError
        A file is damaged.
    """
    for path in sorted(folder.glob("unsent-*.json")):
        outcome = read_json(path)
        try:
            with suppress(LostError):
                study.finish(**outcome)
        except (TypeError, KeyError):
            raise DataError(f"{path} is damaged: it holds no outcome") from None
        path.unlink()
