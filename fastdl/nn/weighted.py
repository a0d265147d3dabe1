"""How a loss is called with the weights of examples, and how much a batch counts."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.module import Module
from fastdl.structure import Structure, length

# Names of what comes second here, and first in Keras and scikit-learn.
_TARGETS = ("y_true", "true", "target", "targets", "label", "labels", "truth")


class Weighted:
    """A loss, called in one way whether it takes weights by name, by place or not.

    Parameters
    ----------
    loss : callable
        ``loss(outputs, y)`` or ``loss(outputs, y, weight)`` to one number; an argument
        called ``sample_weight`` is passed by name.
    who : str
        What messages begin with.

    Attributes
    ----------
    name : str
        What messages call the loss.

    Raises
    ------
    ArgumentError
        It cannot be called in either way.
    """

    def __init__(self, loss: Callable[..., Tensor], who: str = "") -> None:
        self.name = getattr(loss, "__name__", type(loss).__name__)
        self._loss, self._who = loss, who
        signature = _signature(loss)
        self._takes_weights = _takes_weights(signature)
        first = next(iter(signature.parameters), "") if signature else ""
        if first.lower() in _TARGETS:
            raise ArgumentError(
                f"{who}a loss is called as (outputs, y), but {self.name} takes {first} "
                f"first; exchange them: def {self.name}(y_pred, y_true)"
            )
        if signature is not None and not (
            self._takes_weights == ""
            or _takes(signature, "outputs", "y")
            or _takes(signature, "outputs", "y", sample_weight="weight")
        ):
            raise ArgumentError(
                f"{who}a loss is called as (outputs, y), but {self.name} takes "
                f"({', '.join(signature.parameters)}); call it in a function "
                f"(outputs, y) of yours"
            )

    def __call__(
        self, outputs: Structure, y: Structure, weight: np.ndarray | None
    ) -> Tensor:
        """Return the loss of a batch.

        Raises
        ------
        ArgumentError
            There are weights, but the loss takes none; or it is no tensor.
        ShapeError
            It is not one number.
        """
        if weight is None:
            loss = self._loss(outputs, y)
        elif self._takes_weights is None:
            raise ArgumentError(
                f"{self._who}the examples have weights, but the loss {self.name} takes "
                f"none; use a function (outputs, y, weight)"
            )
        elif self._takes_weights:
            loss = self._loss(outputs, y, **{self._takes_weights: weight})
        else:
            loss = self._loss(outputs, y, weight)
        if not isinstance(loss, Tensor):
            raise ArgumentError(
                f"{self._who}the loss {self.name} must return a Tensor of one number, "
                f"computed from the outputs by fastdl, got {type(loss).__name__}"
            )
        if loss.size != 1:
            raise ShapeError(
                f"{self._who}the loss must be one number for a batch, got shape "
                f"{loss.shape}; take reduction='mean' or .mean()"
            )
        return loss

    def count(self, y: Structure, weight: np.ndarray | None) -> float:
        """Return how much a batch counts in the mean over batches.

        The loss may say, see `fastdl.nn.CrossEntropyLoss.count`; otherwise it is the
        number of examples, or the sum of their weights.
        """
        own = getattr(self._loss, "count", None)
        if isinstance(self._loss, Module) and callable(own):
            return float(own(y) if weight is None else own(y, weight))
        return float(length(y) if weight is None else weight.sum())


def _signature(loss: Callable[..., Tensor]) -> inspect.Signature | None:
    """Return what a loss takes; None for a function in C, which may not say."""
    try:
        return inspect.signature(loss.forward if isinstance(loss, Module) else loss)
    except (TypeError, ValueError):
        return None


def _takes(signature: inspect.Signature, *arguments: str, **options: str) -> bool:
    try:
        signature.bind(*arguments, **options)
    except TypeError:
        return False
    return True


def _takes_weights(signature: inspect.Signature | None) -> str | None:
    """Return the name of the argument for weights, "" if by position, None if none."""
    if signature is None:
        return None
    if "sample_weight" in signature.parameters:
        return "sample_weight"
    return "" if _takes(signature, "outputs", "y", "weight") else None
