"""Checks of the data and of layers before training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from fastdl import shapes
from fastdl.data import ArrayDataset, DataLoader, Dataset, Subset
from fastdl.data.pictures import is_mapped
from fastdl.errors import DataError, NonFiniteError, ShapeError
from fastdl.functional.targets import check_rows, label_rows
from fastdl.nn import BatchNorm1d, Module, MultiTaskLoss, Standardize
from fastdl.nn.loss import Loss
from fastdl.nn.multitask import as_labels, missing_rows
from fastdl.shapes import check_probabilities
from fastdl.structure import Structure, is_several, is_shape, leaves, named_leaves
from fastdl.train.losses import LossLike
from fastdl.typing import Shape

_NUMBERS = 1 << 20  # checked at a time
_NUMBERS_OF_FILE = 1 << 22  # checked of a memory-mapped array
_OF_NUMBERS = "For regression give the loss: Trainer(model, nn.MSELoss())"
_OF_QUESTIONS = "For yes or no give the loss: Trainer(model, nn.BCEWithLogitsLoss())"
_PIXELS = 48  # of the smallest picture that is flattened, 4 x 4 in colours


def check_finite(dataset: Dataset, name: str, part: int = 0, parts: int = 1) -> None:
    """Raise NonFiniteError, with the position, when an input is NaN or infinite.

    Of a large memory-mapped array, examples at equal distances are read; of several
    parts, each of which a process checks, one.
    """
    examples = _to_check(dataset)[part::parts]
    start, stop = 0, 1
    while start < len(examples):
        taken, *_ = dataset.take(examples[start:stop])
        # Integers are finite.
        real = [pair for pair in named_leaves(taken, "x") if pair[1].dtype.kind == "f"]
        if not real:
            return
        for place, x in real:
            if not np.isfinite(x).all():
                row, *rest = np.argwhere(~np.isfinite(x))[0].tolist()
                position = ", ".join(map(str, (examples[start + row], *rest)))
                raise NonFiniteError(
                    f"fit: {place}[{position}] of the {name} data is "
                    f"{x[(row, *rest)]}; repair or leave out such examples, or pass "
                    f"check_finite=False"
                )
        numbers = sum(x.size for _, x in real)
        rows = max(1, _NUMBERS * (stop - start) // max(numbers, 1))
        start, stop = stop, min(stop + rows, len(examples))


def _to_check(dataset: Dataset) -> np.ndarray:
    """Return the examples in which to look for NaN: all, unless they are in a file."""
    count, whole = len(dataset), dataset
    while isinstance(whole, Subset):
        whole = whole.dataset
    if isinstance(whole, ArrayDataset) and any(map(is_mapped, leaves(whole.x))):
        numbers = sum(x[:1].size for x in leaves(whole.x)) or 1
        count = min(count, max(1, _NUMBERS_OF_FILE // numbers))
    return np.arange(count) * len(dataset) // max(count, 1)


def check_targets(
    loader: DataLoader, loss: LossLike, output_shape: Structure, name: str
) -> None:
    """Raise unless a cross-entropy can use all labels or targets of the data.

    Masks, and what a transform makes of the labels, are checked batch by batch. What is
    wrong with the structure of outputs and targets is left to the loss.
    """
    if isinstance(loss, MultiTaskLoss):
        y = loader.dataset.y
        if not isinstance(y, Mapping) or not isinstance(output_shape, Mapping):
            return
        for task, its_loss in loss.losses.items():
            if task in y and task in output_shape:
                targets = np.asarray(y[task])
                place = f"of task {task!r}"
                its_loss_applies = getattr(its_loss, "applies", None)
                if its_loss_applies == "softmax" and targets.dtype.kind == "f":
                    targets = _known_labels(targets, place)
                _check(
                    partial(np.asarray, targets),
                    loader,
                    its_loss,
                    output_shape[task],
                    (name, f" {place}"),
                )
    elif is_shape(output_shape):
        _check(lambda: loader.dataset.y, loader, loss, output_shape, (name, ""))


def _known_labels(y: np.ndarray, place: str) -> np.ndarray:
    """Return labels with something valid where they are missing."""
    try:
        return as_labels(y) if y.ndim == 1 else y[~missing_rows(y)[0]]
    except DataError as error:
        raise DataError(f"fit: {place}: {error}") from None


def _check(
    read: Callable[[], Structure],
    loader: DataLoader,
    loss: LossLike,
    output_shape: Shape,
    names: tuple[str, str],
) -> None:
    """Check targets, which may have to be read from files, if the loss needs it."""
    name, task = names
    applies = getattr(loss, "applies", None)
    if applies == "softmax":
        _check_labels(read, output_shape, loss, f"fit: {name} labels{task}", task)
        return
    if isinstance(loss, Loss) and output_shape == (1,) and not loader.transforms:
        _check_column(read(), f"fit: {name} y{task}")
    in_rows = len(output_shape) <= 1 and not loader.transforms
    if applies == "sigmoid" and in_rows:
        targets = read()
        if targets is not None and not is_several(targets):
            operation = f"fit: {name} targets{task}"
            check_probabilities(np.asarray(targets), operation, missing=True)


def _check_column(y: Structure, operation: str) -> None:
    """Raise ShapeError unless the targets of one output have its axis."""
    if not is_several(y) and np.ndim(y) == 1:
        raise ShapeError(
            f"{operation} has shape ({len(y)},), but the model has one output for each "
            f"example, ({len(y)}, 1); give y.reshape(-1, 1)"
        )


def _check_labels(
    read: Callable[[], Structure],
    output_shape: Shape,
    loss: LossLike,
    operation: str,
    task: str,
) -> None:
    fits = len(output_shape) in (1, 3)  # rows, or pixels
    y = read() if fits else np.empty(0)
    if y is None or is_several(y):  # a transform makes them
        return
    if not fits or (len(output_shape) == 3 and np.ndim(y) < 3):
        raise DataError(
            f"fit: the cross-entropy{task} needs one row of logits for each example, "
            f"but the model's output has shape {output_shape} for one; end it with a "
            f"Flatten and a Linear layer"
        )
    y = np.asarray(y)
    *places, classes = len(y), *output_shape
    if classes == 1:
        raise _of_one_output(y, operation)
    if y.dtype.kind == "f" and y.ndim < 3 and y.shape[1:] != (classes,):
        _check_whole(y, operation)
    ignored = getattr(loss, "ignore_index", None)
    labels, _ = label_rows(y, (*places, classes), ignored, operation)
    labels = shapes.labels(labels, math.prod(places), classes, operation)
    if labels.ndim == 2:
        hint = f"are they numbers rather than classes? {_OF_NUMBERS}"
        check_probabilities(labels, operation, missing=False, hint=hint)
        check_rows(labels, operation, DataError)


def _of_one_output(y: np.ndarray, operation: str) -> DataError:
    """Return the error of a cross-entropy of one class."""
    is_yes_or_no = np.isin(y, (0, 1)).all()
    meant = _OF_QUESTIONS if is_yes_or_no else _OF_NUMBERS
    column = ", and give y.reshape(-1, 1)" if y.ndim == 1 else ""
    return DataError(
        f"{operation}: the cross-entropy needs one logit for each class, but the model "
        f"has one output. {meant}{column}"
    )


def _check_whole(y: np.ndarray, operation: str) -> None:
    """Raise DataError if real numbers cannot be classes."""
    wrong = y[y != np.round(y)]
    if wrong.size:
        raise DataError(
            f"{operation} are numbers such as {wrong.flat[0]:g}, not classes. "
            f"{_OF_NUMBERS}"
        )


def check_statistics(model: Module, examples: int) -> None:
    """Warn of a `Standardize` layer fitted on more than the training set, or never."""
    for name, module in model.named_modules():
        if not isinstance(module, Standardize):
            continue
        fitted_on = module.examples
        if fitted_on is None and not module.mean.any() and (module.std == 1).all():
            warnings.warn(
                f"fit: layer '{name}' (Standardize) is not fitted, so it changes "
                f"nothing; call its .fit(train) first",
                stacklevel=5,
            )
        if fitted_on is not None and fitted_on > examples and not module.frozen:
            warnings.warn(
                f"fit: layer '{name}' (Standardize) was fitted on {fitted_on:,} "
                f"examples, but the training set has {examples:,}; if dev or test data "
                f"were among them, fit it on the training set alone (freeze() it if "
                f"its statistics come from elsewhere on purpose)",
                stacklevel=5,
            )


def lonely_batch_norm(model: Module, examples: int, batch_size: int) -> str | None:
    """Return the name of a batch norm for which the last batch of rows is too small.

    A single row has no variance. None if there is no such layer, or no such batch.
    """
    if batch_size < 2 or examples % batch_size != 1:
        return None
    for name, module in model.named_modules():
        if isinstance(module, BatchNorm1d) and not module.frozen:
            return name
    return None


def check_last_batch(model: Module, loader: DataLoader) -> None:
    """Raise DataError where batch norm would get a single row in the end."""
    if loader.drop_last or loader.sampler or loader.batch_sampler:
        return
    examples, size = len(loader.dataset), loader.batch_size
    name = lonely_batch_norm(model, examples, size)
    if name is not None:
        raise DataError(
            f"fit: the last of the batches of {size} has one example, and layer "
            f"'{name}' (BatchNorm1d) needs more; take another batch_size than {size}, "
            f"or DataLoader(drop_last=True), or leave out one of the {examples:,} "
            f"examples"
        )


def warn_of_bytes(model: Module, x: Structure) -> None:
    """Warn of rows that look like flattened pictures, which nobody scales."""
    if any(isinstance(module, Standardize) for module in model.modules()):
        return
    for each in leaves(x):
        flat = each.dtype == np.uint8 and each.ndim == 2
        if flat and each.shape[1] >= _PIXELS and each.max(initial=0) > 127:
            warnings.warn(
                f"fit: x are rows of {each.shape[1]:,} bytes up to "
                f"{each.max()}, and used as they are. Are they flattened pictures? "
                f"Give x / 255, or the pictures themselves and nn.Flatten() as the "
                f"first layer",
                stacklevel=6,
            )
