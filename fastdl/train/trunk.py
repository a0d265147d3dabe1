"""The features of a frozen trunk, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from fastdl import nn
from fastdl.autograd import Tensor, no_grad
from fastdl.data import ArrayDataset, DataLike, DataLoader, InTurn
from fastdl.data.loader import Transform
from fastdl.errors import ArgumentError
from fastdl.nn.module import check_module, run
from fastdl.nn.transfer import split
from fastdl.nn.tree import label
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.structure import length, tree_map
from fastdl.train.batches import converted

if TYPE_CHECKING:
    from tqdm import tqdm


class FrozenTrunk:
    """A model cut in two: a trunk that stays as it is, and the head that learns.

    What the trunk makes of an example is the same in every epoch, so it is computed
    once, and the head is trained on that. ::

        model.replace_head(7)
        frozen = train.FrozenTrunk(model, until="fc")
        trainer = Trainer(frozen.head)
        trainer.fit(frozen.features(splits.train), epochs=50)
        Trainer(model).evaluate(splits.test)  # the model has the trained head

    Parameters
    ----------
    model : Sequential
        All its sizes must be known. The trunk is frozen, see `fastdl.nn.Module.freeze`.
    until : str
        The first layer of the head, by its dotted name. All modules around it must be
        chains.

    Attributes
    ----------
    trunk, head : Sequential
        They share the layers of the model.

    Raises
    ------
    ArgumentError
        There is no such layer, it is the first, or it is inside a module that is no
        chain.
    GraphError
        A size of the model is still open.
    """

    def __init__(self, model: nn.Module, until: str) -> None:
        check_module(model, "FrozenTrunk")
        split(model, until, "FrozenTrunk: until")  # a wrong name raises
        self.trunk, self.head = _cut(model, until.split("."), ())
        if not any(True for _ in self.trunk.parameters()):
            raise ArgumentError(f"FrozenTrunk: no layer before {until!r} has weights")
        model.freeze(until=until)

    def features(
        self,
        data: DataLike,
        transform: Transform | Sequence[Transform] | None = None,
        *,
        copies: int = 1,
        seed: int = 0,
        batch_size: int = 256,
    ) -> ArrayDataset | InTurn:
        """Return what the trunk makes of the examples, with their y and weight.

        Parameters
        ----------
        data : Dataset, array x, tuple (x, y) or (x, y, weight)
            The examples.
        transform : callable or sequence of callable, optional
            As in `fastdl.data.DataLoader`, such as `fastdl.data.Augment`.
        copies : int
            How often the transform is drawn ahead. Copy k is what a loader with this
            seed gives in epoch k; the epochs of a training use them in turn.
        seed : int
            From 0.
        batch_size : int
            Examples at a time.

        Returns
        -------
        ArrayDataset or InTurn
            In memory, in the order of the data.

        Raises
        ------
        ArgumentError
            Several copies are asked for, but no transform tells them apart; or labels
            are given in its place.
        """
        copies = integer(copies, "FrozenTrunk.features: copies")
        takes = transform is None or isinstance(transform, (list, tuple))
        if not takes and not callable(transform):
            raise ArgumentError(
                f"FrozenTrunk.features: the second place is for transform, a function "
                f"or several, got {type(transform).__name__}; give labels with the "
                f"inputs, as a tuple: features((x, y))"
            )
        if copies > 1 and transform is None:
            raise ArgumentError(
                "FrozenTrunk.features: without a transform all copies are the same"
            )
        loader = DataLoader(data, batch_size, seed=seed, transform=transform)
        with progress_bar(
            total=copies * len(loader.dataset),
            desc="computing features",
            leave=False,
        ) as bar:
            parts = [self._run(loader, copy, bar) for copy in range(copies)]
        return parts[0] if copies == 1 else InTurn(*parts)

    def _run(self, loader: DataLoader, epoch: int, bar: tqdm) -> ArrayDataset:
        rows: list[list[np.ndarray | None]] = []
        with (
            no_grad(),
            self.trunk.mode(training=False),
            closing(loader.batches(epoch)) as batches,  # type: ignore[type-var]
        ):
            for x, *rest in converted(batches, self.trunk):
                made = tree_map(Tensor.numpy, run(self.trunk, x))
                rows.append([made, *rest])
                bar.update(length(x))
        x, y, *weight = (
            None if column[0] is None else tree_map(_joined, *column)
            for column in zip(*rows, strict=True)
        )
        assert x is not None
        return ArrayDataset(x, y, *weight)


def _cut(
    chain: nn.Module, path: Sequence[str], around: tuple[str, ...]
) -> tuple[nn.Sequential, nn.Sequential]:
    """Cut a chain, and the chains inside it, before the layer at the end of a path."""
    # A subclass may compute something else.
    if not isinstance(chain, nn.Sequential) or (
        type(chain).forward is not nn.Sequential.forward
    ):
        raise ArgumentError(
            f"FrozenTrunk: cannot cut before {'.'.join((*around, *path))!r}: "
            f"{label('.'.join(around), chain)} is no chain, an nn.Sequential"
        )
    names = [name for name, _ in chain.named_children()]
    place = names.index(path[0])
    if len(path) == 1:
        return chain[:place], chain[place:]
    inside = _cut(chain[place], path[1:], (*around, path[0]))
    trunk, head = chain[: place + 1], chain[place:]
    trunk[-1], head[0] = inside
    return trunk, head


def _joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)
