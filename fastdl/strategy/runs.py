"""Measurements of a finished run, kept in its folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypedDict

from fastdl.data import Subset
from fastdl.errors import DataError, FastdlError
from fastdl.files import read_file, read_json, write_text
from fastdl.strategy.learning_curve import DataCurve, learning_curve
from fastdl.strategy.measure import Measured, Wrong, measure_sets
from fastdl.strategy.optimisation import Symptom
from fastdl.train import FinishedRun, RunFolder, Trainer
from fastdl.typing import Json

if TYPE_CHECKING:
    from typing_extensions import Unpack

_ERRORS, _CURVE = "errors", "data_curve"  # names in measures.json


def measure_run(run: FinishedRun, again: bool = False) -> Measured:
    """Return the errors of a finished run on its own data; keep them in its folder.

    What was kept is returned at once, unless the model has changed.

    Parameters
    ----------
    run : FinishedRun
        What `fastdl.train.open_run` returns.
    again : bool
        Measure even so, as the data may have changed.

    Raises
    ------
    DataError
        The data of the run are missing.
    FastdlError
        As `measure`.
    """
    if not again and (content := kept(run.folder, _ERRORS)) is not None:
        with suppress(FastdlError, KeyError, TypeError):  # damaged, outdated
            found = tuple(Symptom(*each) for each in content["symptoms"])
            measured = Measured(**(content | {"symptoms": found}))
            measured.diagnose()  # raises if anything in it is wrong
            return measured
    parts = run.parts
    names = ("train", "train_dev", "dev", "test")
    sets = {name: getattr(parts, name) for name in names}
    sets = {name: part for name, part in sets.items() if part is not None}
    measured = measure_sets(run.trainer, sets, run.outputs, None, run.history)
    if run.job.examples is not None and isinstance(parts.train, Subset):
        measured = replace(measured, available=len(parts.train.dataset))
    with suppress(OSError):  # a read-only folder: it is measured again next time
        keep(run.folder, _ERRORS, asdict(measured))
    return measured


class CurveOptions(TypedDict, total=False):
    """Arguments of `learning_curve`, except fit, train and dev."""

    sizes: Sequence[int] | None
    repeats: int
    seed: int
    wrong: Wrong | None
    progress: bool | None


def learning_curve_run(
    run: FinishedRun, again: bool = False, **options: Unpack[CurveOptions]
) -> DataCurve:
    """Repeat a finished run with growing parts of its training set.

    A part with a quarter of the examples is trained for twice the epochs, so half the
    steps. With the same number of epochs small parts would be undertrained, and promise
    too much of more data; with the same number of steps, too little. The curve is kept
    in the folder, unless options are given.

    Parameters
    ----------
    run, again
        As in `measure_run`.
    **options
        As in `learning_curve`, except fit, train and dev; by default the seed is that
        of the run.

    Returns
    -------
    DataCurve
    """
    if not (again or options) and (content := kept(run.folder, _CURVE)) is not None:
        with suppress(FastdlError, TypeError):  # of another version
            return DataCurve(**content)
    job, parts = run.job, run.parts
    batch = job.recipe.batch_size

    def fit(part: Subset, seed: int) -> Trainer:
        steps, fewer = (math.ceil(len(each) / batch) for each in (parts.train, part))
        epochs = round(job.recipe.epochs * math.sqrt(steps / fewer))
        longer = job.replace(epochs=epochs, seed=seed)
        trainer = longer.trainer(parts)
        trainer.fit(
            longer.recipe.loader(part, seed),
            epochs=epochs,
            validation=parts.dev if job.patience else None,
            callbacks=longer.callbacks(),
            progress=False,
        )
        return trainer

    chosen: CurveOptions = {"seed": job.seed, **options}
    curve = learning_curve(fit, parts.train, parts.dev, **chosen)
    if not options:
        content = {
            name: getattr(curve, name).tolist() for name in ("sizes", "train", "dev")
        }
        content |= {"dev_examples": curve.dev_examples, "seed": curve.seed}
        with suppress(OSError):
            keep(run.folder, _CURVE, content)
    return curve


def keep(folder: RunFolder, name: str, content: dict[str, Json]) -> None:
    """Keep measurements of a run's model as JSON, beside those of other names.

    Parameters
    ----------
    folder : RunFolder
        They go into its measures.json.
    name : str
        What was measured; replaces what was kept under the name before.
    content : dict
        The measurements.
    """
    with folder.lock("measures", wait=5):
        all_of_them = _kept(folder) | {
            name: {"model": _fingerprint(folder), "content": content}
        }
        write_text(folder.measures, json.dumps(all_of_them, indent=2) + "\n")


def kept(folder: RunFolder, name: str) -> dict[str, Any] | None:
    """Return the measurements of that name; None unless they are of the present model.

    A damaged file counts as empty: everything in it can be measured again.
    """
    entry = _kept(folder).get(name)
    if not isinstance(entry, dict) or entry.get("model") != _fingerprint(folder):
        return None
    content = entry.get("content")
    return content if isinstance(content, dict) else None


def _kept(folder: RunFolder) -> dict[str, Any]:
    with suppress(DataError):
        content = read_json(folder.measures)
        if isinstance(content, dict):
            return content
    return {}


def _fingerprint(folder: RunFolder) -> str:
    """Return a digest of the settings and the weights of the run."""
    parts = (read_file(path) for path in (folder.config, folder.model))
    return hashlib.sha256(b"".join(parts)).hexdigest()
