"""Targets y in the form that a loss takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastdl.data import DataLoader, as_float
from fastdl.errors import ArgumentError
from fastdl.nn import MultiTaskLoss
from fastdl.nn.loss import Loss, NumberLoss
from fastdl.shapes import holds_pictures
from fastdl.structure import Structure, first_leaf, leaves, tree_map
from fastdl.train.losses import LossLike, as_module


def as_targets(y: Structure, x: Structure, loss: LossLike) -> Structure:
    """Return y as the loss takes it.

    Real numbers are converted to the dtype of x. Pictures of uint8 are scaled to
    [0, 1], like x, if the loss is one of numbers and they have the shape of x, or of
    one of the inputs. Labels and masks are left unchanged.

    Raises
    ------
    ArgumentError
        y is uint8 with two axes or more per example, and could be pictures, masks or
        numbers: under a loss of numbers its shape differs from that of x; under an
        unknown loss it has the shape of pictures x.
    """
    if isinstance(loss, MultiTaskLoss):
        return _of_tasks(y, x, loss)
    if not isinstance(y, np.ndarray):
        return tree_map(lambda each: as_targets(each, x, loss), y)
    dtype = first_leaf(x).dtype
    if y.dtype.kind == "f":
        return y.astype(dtype, copy=False)
    module = as_module(loss)
    of_numbers = isinstance(module, NumberLoss)
    of_labels = isinstance(module, Loss) and not of_numbers
    if of_labels or not holds_pictures(y):
        return y
    shapes = [each.shape for each in leaves(x)]
    like_x = y.shape in shapes
    if of_numbers:
        if not like_x:
            inputs = " and ".join(str(shape[1:]) for shape in shapes)
            raise _ambiguous(
                f"of shape {y.shape[1:]} for each example, but x has {inputs}: "
                f"pictures, to be scaled as x is, or numbers? Nothing tells"
            )
        return as_float(y).astype(dtype, copy=False)
    if like_x:
        raise _ambiguous("of the shape of x: pictures or masks? The loss does not tell")
    return y


def _of_tasks(y: Structure, x: Structure, loss: MultiTaskLoss) -> Structure:
    if not isinstance(y, Mapping):
        return y  # the loss says what is wrong
    return {
        task: as_targets(each, x, loss.losses[task]) if task in loss.losses else each
        for task, each in y.items()
    }


def check_scaled(batch: tuple, loader: DataLoader, loss: LossLike) -> None:
    """Refuse masks where `as_targets` would scale pictures.

    Parameters
    ----------
    batch : tuple
        The first x and y of the loader; if y is x itself, it is scaled already.
    loader : DataLoader
        All its y are checked if the batch leaves doubt, unless a transform changes
        them.
    loss : callable
        Only losses of numbers, such as the squared error, have their targets scaled.

    Raises
    ------
    ArgumentError
        y is uint8 of the shape of x, but holds nothing other than 0 and 1.
    """
    x, y, *_ = batch
    if isinstance(loss, MultiTaskLoss) and isinstance(y, Mapping):
        for task in y.keys() & loss.losses.keys():
            _check_scaled(x, y[task], loader, loss.losses[task], task)
    else:
        _check_scaled(x, y, loader, loss)


def _check_scaled(
    x: Structure,
    y: Structure,
    loader: DataLoader,
    loss: LossLike,
    task: str | None = None,
) -> None:
    if not isinstance(y, np.ndarray) or not isinstance(as_module(loss), NumberLoss):
        return
    like_x = any(y.shape == each.shape for each in leaves(x))
    if not holds_pictures(y) or not like_x or y.max(initial=0) > 1:
        return
    everything = None if loader.transforms else loader.dataset.y
    if everything is not None and task is not None:
        everything = everything[task]
    if everything is None or np.max(everything, initial=0) <= 1:
        raise _ambiguous(
            "of the shape of x, and none is above 1: pictures or masks? Pictures would "
            "be divided by 255"
        )


def _ambiguous(problem: str) -> ArgumentError:
    return ArgumentError(
        f"the targets y are uint8 {problem}; give fastdl.data.as_float(y) for pictures "
        f"in [0, 1], or y.astype(np.float32) for the numbers as they are"
    )
