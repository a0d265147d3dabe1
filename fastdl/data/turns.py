"""Several versions of the same examples, in turn."""

from __future__ import annotations

import numpy as np

from fastdl.data.concat import Concat
from fastdl.data.dataset import (
    Batch,
    DataLike,
    Dataset,
    Gathered,
    Subset,
    as_dataset,
    weights,
)
from fastdl.errors import DataError


class InTurn(Gathered):
    """Versions of the same examples, such as augmentations drawn ahead.

    A `DataLoader` uses one of them in each epoch: the first, the second, ..., the last,
    the first again. Everything else sees the first.

    Parameters
    ----------
    *datasets : Dataset, array x, tuple (x, y) or (x, y, weight)
        At least one, all with as many examples.

    Raises
    ------
    DataError
        There is no data set, or their lengths differ.
    """

    def __init__(self, *datasets: DataLike) -> None:
        self.datasets = tuple(map(as_dataset, datasets))
        lengths = sorted(set(map(len, self.datasets)))
        if len(lengths) != 1:
            raise DataError(
                f"InTurn: the versions of a data set have as many examples, got "
                f"{' and '.join(map(str, lengths)) or 'none'}"
            )

    @property
    def y(self) -> np.ndarray | None:
        """Labels or targets of the first version, or None."""
        return self.datasets[0].y

    @property
    def weight(self) -> np.ndarray | None:
        """How much each of the examples counts, or None."""
        return weights(self.datasets[0])

    def __len__(self) -> int:
        return len(self.datasets[0])

    def take(self, indices: np.ndarray) -> Batch:
        """Return what the first version returns."""
        return self.datasets[0].take(indices)

    def __repr__(self) -> str:
        return f"InTurn({', '.join(map(repr, self.datasets))})"


def at_epoch(dataset: Dataset, epoch: int) -> Dataset:
    """Return what an epoch, from 0, uses: another data set where one is `InTurn`."""
    if isinstance(dataset, InTurn):
        return at_epoch(dataset.datasets[epoch % len(dataset.datasets)], epoch)
    if type(dataset) is Subset:
        whole = at_epoch(dataset.dataset, epoch)
        return dataset if whole is dataset.dataset else Subset(whole, dataset.indices)
    if type(dataset) is Concat:
        parts = [at_epoch(part, epoch) for part in dataset.datasets]
        same = all(map(lambda a, b: a is b, parts, dataset.datasets))
        return dataset if same else Concat(*parts)
    return dataset
