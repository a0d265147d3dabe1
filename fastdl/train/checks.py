"""Checks of the data and of layers before training."""

from __future__ import annotations

import warnings

import numpy as np

from fastdl import shapes
from fastdl.data import ArrayDataset, DataLoader, Dataset, Subset
from fastdl.data.pictures import is_mapped
from fastdl.errors import DataError, NonFiniteError
from fastdl.nn import Module, Standardize
from fastdl.shapes import check_probabilities
from fastdl.train.losses import LossLike

_NUMBERS = 1 << 20  # checked at a time
_NUMBERS_OF_FILE = 1 << 24  # checked of a memory-mapped array
_ROUNDING = 1e-3  # allowed in the sum of a row of probabilities, as in the metrics


def check_finite(dataset: Dataset, name: str) -> None:
    """Raise NonFiniteError, with the position, when an input is NaN or infinite.

    Of a large memory-mapped array, examples at equal distances are read.
    """
    examples = _to_check(dataset)
    start, stop = 0, 1
    while start < len(examples):
        x, *_ = dataset.take(examples[start:stop])
        if x.dtype.kind != "f":  # integers are finite
            return
        if not np.isfinite(x).all():
            row, *rest = np.argwhere(~np.isfinite(x))[0].tolist()
            position = ", ".join(map(str, (examples[start + row], *rest)))
            raise NonFiniteError(
                f"fit: x[{position}] of the {name} data is {x[(row, *rest)]}; repair "
                f"or leave out such examples, or pass check_finite=False"
            )
        rows = max(1, _NUMBERS * len(x) // max(x.size, 1))
        start, stop = stop, min(stop + rows, len(examples))


def _to_check(dataset: Dataset) -> np.ndarray:
    """Return the examples in which to look for NaN: all, unless they are in a file."""
    count, whole = len(dataset), dataset
    while isinstance(whole, Subset):
        whole = whole.dataset
    if isinstance(whole, ArrayDataset) and is_mapped(whole.x):
        numbers = whole.x[:1].size or 1
        count = min(count, max(1, _NUMBERS_OF_FILE // numbers))
    return np.arange(count) * len(dataset) // max(count, 1)


def check_targets(
    loader: DataLoader, loss: LossLike, output_shape: tuple[int, ...], name: str
) -> None:
    """Raise unless a cross-entropy can use all labels or targets of the data.

    Masks, and what a transform makes of the labels, are checked batch by batch.
    """
    rows = len(output_shape) == 1
    applies = getattr(loss, "applies", None)
    if applies == "softmax":
        _check_labels(loader.dataset, output_shape, name)
    elif applies == "sigmoid" and rows and not loader.transforms:
        targets = np.asarray(loader.dataset.y)
        check_probabilities(targets, f"fit: {name} targets", missing=True)


def _check_labels(dataset: Dataset, output_shape: tuple[int, ...], name: str) -> None:
    if len(output_shape) != 1:
        raise DataError(
            f"fit: the cross-entropy needs one row of logits for each example, but "
            f"the model's output has shape {output_shape} for one; end it with a "
            f"Flatten and a Linear layer"
        )
    y = dataset.y
    if y is None:  # a transform makes them
        return
    operation = f"fit: {name} labels"
    labels = shapes.labels(y, len(y), output_shape[0], operation)
    if labels.ndim == 2:
        check_probabilities(labels, operation, missing=False)
        _check_sums(labels, operation)


def _check_sums(rows: np.ndarray, operation: str) -> None:
    """Raise DataError unless each row sums to 1."""
    sums = rows.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(np.abs(sums - 1) > _ROUNDING)
    if len(wrong):
        raise DataError(
            f"{operation}: row {wrong[0]} sums to {sums[wrong[0]]:g}, but the "
            f"probabilities of the classes sum to 1; if an example can have several "
            f"labels or none, use BCEWithLogitsLoss"
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
                stacklevel=4,
            )
        if fitted_on is not None and fitted_on > examples and not module.frozen:
            warnings.warn(
                f"fit: layer '{name}' (Standardize) was fitted on {fitted_on:,} "
                f"examples, but the training set has {examples:,}; if dev or test data "
                f"were among them, fit it on the training set alone (freeze() it if "
                f"its statistics come from elsewhere on purpose)",
                stacklevel=4,
            )
