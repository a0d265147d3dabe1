"""Mini-batches: an order for each epoch, gathered ahead of the training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastdl.data.dataset import Batch, as_dataset, as_float
from fastdl.data.prefetch import prefetched
from fastdl.errors import DataError
from fastdl.shapes import integer

Transform = Callable[
    [np.ndarray, "np.ndarray | None", np.random.Generator],
    "tuple[np.ndarray, np.ndarray | None]",
]


class DataLoader:
    """Cuts a data set into mini-batches, in a new order each epoch.

    Iterating gives pairs (x, y) of NumPy arrays: x (b, ...) and y (b, ...), or
    y None without labels. b is ``batch_size``, except that the last batch may be
    smaller. uint8 images arrive as float32 in [0, 1]. The arrays are new ones;
    the data set is never written.

    The order of epoch e depends on (seed, e) alone. The random numbers of the
    transform depend on (seed, e, number of the batch), so that every prefetch
    depth gives the same batches.

    Parameters
    ----------
    data : Dataset, array x or tuple (x, y)
        At least one example.
    batch_size : int
        Examples in a batch, from 1.
    shuffle : bool
        Draw a new order each epoch; False keeps the order of the data.
    seed : int
        From 0.
    drop_last : bool
        Leave out a last batch that is smaller than ``batch_size``.
    prefetch : int
        Batches that a background thread makes ahead; 0 makes each batch when it
        is asked for. The thread ends with the loop that started it, also when
        that breaks out early.
    transform : callable, optional
        ``transform(x, y, rng) -> (x, y)`` on each batch, for augmentation, with
        a `numpy.random.Generator`. It may change x and y in place. It runs in
        the background thread.

    Attributes
    ----------
    epoch : int
        The epoch that the next ``iter(loader)`` gives, from 0. Set it to resume.

    Raises
    ------
    DataError
        When there is no example, or not one batch.
    ShapeError
        When one of the integers is out of range.
    """

    def __init__(
        self,
        data: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        prefetch: int = 2,
        transform: Transform | None = None,
    ) -> None:
        self.dataset = as_dataset(data)
        self.batch_size = integer(batch_size, "DataLoader: batch_size")
        self.shuffle = shuffle
        self.seed = integer(seed, "DataLoader: seed", minimum=0)
        self.drop_last = drop_last
        self.prefetch = integer(prefetch, "DataLoader: prefetch", minimum=0)
        self.transform = transform
        self.epoch = 0
        if len(self.dataset) == 0:
            raise DataError("DataLoader: the data set is empty")
        if len(self) == 0:
            raise DataError(
                f"DataLoader: {len(self.dataset)} examples do not fill one batch of "
                f"{self.batch_size}; lower batch_size or use drop_last=False"
            )

    def __len__(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        self.epoch += 1
        return self.batches(epoch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Return the batches of one epoch; ``self.epoch`` stays as it is."""
        batches = self._make(integer(epoch, "DataLoader: epoch", minimum=0))
        return prefetched(batches, self.prefetch) if self.prefetch else batches

    def _make(self, epoch: int) -> Iterator[Batch]:
        if self.shuffle:
            rng = np.random.default_rng(np.random.SeedSequence((self.seed, epoch)))
            order = rng.permutation(len(self.dataset))
        else:
            order = np.arange(len(self.dataset))
        for batch in range(len(self)):
            start = batch * self.batch_size
            x, y = self.dataset.take(order[start : start + self.batch_size])
            x = as_float(x)
            if self.transform is not None:
                # The children of the epoch's seed: the order itself has used the
                # parent, whose stream must not appear a second time.
                seed = np.random.SeedSequence((self.seed, epoch), spawn_key=(batch,))
                x, y = _pair(self.transform(x, y, np.random.default_rng(seed)))
            yield x, y

    def __repr__(self) -> str:
        return (
            f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, "
            f"shuffle={self.shuffle}, seed={self.seed})"
        )


def _pair(result: Any) -> Batch:
    if not isinstance(result, tuple) or len(result) != 2:
        raise DataError(
            "DataLoader: transform must return a tuple (x, y), got "
            f"{type(result).__name__}"
        )
    x, y = result
    if y is not None and len(x) != len(y):
        raise DataError(
            f"DataLoader: transform returned {len(x)} examples x but {len(y)} y"
        )
    return x, y
