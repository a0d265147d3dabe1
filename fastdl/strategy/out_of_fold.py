"""Answers of networks that were not trained on the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fastdl import data, random
from fastdl.data import DataLike, Subset, as_dataset
from fastdl.data.strata import class_labels
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.train import Callback, Recipe, Step, Trainer
from fastdl.typing import ArrayLike

Fit = Callable[[Subset, Sequence[Callback]], Trainer]


def out_of_fold(
    fit: Recipe | Fit,
    dataset: DataLike,
    k: int = 4,
    seed: int = 0,
    *,
    classes: int | None = None,
    groups: ArrayLike | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Return answers to all examples, each from a network that has not seen it.

    The data are divided into k folds, see `fastdl.data.folds`; each of k networks is
    trained on all folds but one, and then answers for that one.

    Parameters
    ----------
    fit : Recipe, or callable ``fit(train, callbacks) -> Trainer``
        How to train on a part of the data. The trainer that it returns must predict
        probabilities, see `fastdl.Trainer.predict`. Pass the callbacks to its ``fit``;
        they show the progress.
    dataset : Dataset or tuple (x, y)
        The examples with their labels, integers from 0.
    k : int
        How many folds, from 2.
    seed : int
        From 0; determines the folds and, for a recipe, weights and order of the
        examples.
    classes : int, optional
        How many there are; by default inferred from the labels.
    groups : array_like, (m,), optional
        Examples of one group are held out together: pictures by one writer, say.
    progress : bool, optional
        Whether to show a bar on the standard error stream. By default only on a
        terminal or in a notebook.

    Returns
    -------
    ndarray of float32 or float64, (m, classes)
        Probabilities.

    Raises
    ------
    DataError
        There are no labels, or they do not start at 0.
    ArgumentError, ShapeError
        There are fewer examples than folds, or arguments do not fit.
    """
    whole = as_dataset(dataset)
    labels = class_labels(whole, "out_of_fold")
    integer(seed, "out_of_fold: seed", 0)
    if len(labels) and labels.min() < 0:
        raise DataError(f"out_of_fold: labels begin at 0, got {labels.min()}")
    pairs = data.folds(whole, k, seed, stratify=True, groups=groups)
    found = max(2, int(labels.max()) + 1)
    classes = found if classes is None else integer(classes, "out_of_fold: classes", 2)
    if classes < found:
        raise DataError(
            f"out_of_fold: label {found - 1}, but there are {classes} classes"
        )
    if isinstance(fit, Recipe):
        random.seed(seed)
        fit = partial(_by_recipe, fit, classes, seed)
    elif not callable(fit):
        raise ArgumentError(
            f"out_of_fold: fit must be a Recipe or fit(train, callbacks), got "
            f"{fit!r:.60}"
        )
    answers: np.ndarray | None = None
    with _Bar(k, progress) as bar:
        for train, held_out in pairs:
            trainer = fit(train, [bar])
            if not callable(getattr(trainer, "predict", None)):
                raise ArgumentError(
                    f"out_of_fold: fit must return a Trainer, got {trainer!r:.60}"
                )
            of_fold = trainer.predict(held_out, probabilities=True)
            if of_fold.shape != (len(held_out), classes):
                raise ShapeError(
                    f"out_of_fold: expected probabilities of {classes} classes, the "
                    f"network gives {of_fold.shape[1:]} numbers for an example"
                )
            if answers is None:
                answers = np.empty((len(whole), classes), of_fold.dtype)
            answers[held_out.indices] = of_fold
            bar.next_fold()
    assert answers is not None
    return answers


def _by_recipe(
    recipe: Recipe,
    classes: int,
    seed: int,
    train: Subset,
    callbacks: Sequence[Callback],
) -> Trainer:
    trainer = recipe.trainer(recipe.create_model(classes))
    trainer.fit(
        recipe.loader(train, seed),
        epochs=recipe.epochs,
        callbacks=[recipe.create_schedule(), *callbacks],
        progress=False,
    )
    return trainer


class _Bar(Callback):
    """Shows how many folds are done, and how far the present one is."""

    def __init__(self, k: int, shown: bool | None) -> None:
        self._bar = progress_bar(
            desc="out of fold",
            total=k,
            bar_format="{l_bar}{bar}| {n:.1f} of {total} [{elapsed}<{remaining}]",
            leave=False,
            shown=shown,
        )
        self._done = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Remember how much there is to do in this fold."""
        self._step = 1 / (epochs * batches)

    def on_batch_end(self, trainer: Trainer, step: Step) -> None:
        """Move the bar."""
        self._bar.update(self._step)

    def next_fold(self) -> None:
        """Count the fold as done, even if stopped early."""
        self._done += 1
        self._bar.update(self._done - self._bar.n)
