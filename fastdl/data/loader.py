"""Mini-batches: reordered each epoch, gathered ahead of the training step."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar, cast

import numpy as np

from fastdl.data.collate import Collate, Collated
from fastdl.data.dataset import Batch, DataLike, Dataset, as_dataset, take_real
from fastdl.data.prefetch import prefetched
from fastdl.data.samplers import (
    BatchSampler,
    Sampler,
    check_sampler,
    draw,
    times_before,
)
from fastdl.data.seeds import example_seeds
from fastdl.data.turns import at_epoch
from fastdl.errors import ArgumentError, DataError
from fastdl.shapes import array, flag, integer, rows
from fastdl.shards import bounds
from fastdl.structure import Structure, length, tree_map
from fastdl.typing import ArrayLike

T = TypeVar("T")
# Options, with their defaults, that a sampler takes the place of.
_REPLACED: dict[str, dict[str, object]] = {
    "sampler": {"shuffle": False},
    "batch_sampler": {
        "sampler": None,
        "batch_size": 32,
        "shuffle": False,
        "drop_last": False,
    },
}
Transform = Callable[[Structure, Structure, np.ndarray], Batch]


class DataLoader:
    """Cuts a data set into mini-batches, in a new order each epoch.

    Iterating yields pairs (x, y) of NumPy arrays: x (b, ...) and y (b, ...), or y None
    without labels; tuples or dicts of such arrays, if those of the data are. If the
    examples have weights it yields (x, y, weight), weight (b,). b is ``batch_size``,
    except that the last batch may be smaller. Pictures x of uint8 become float32 in
    [0, 1], see `fastdl.data.as_float`; so does y if it is the same array as x. The
    arrays are new; the data set is never written to.

    The order of epoch e depends on (seed, e) alone. The random numbers of an example
    depend on (seed, e, number of the example), so they are the same in any batch and
    for any number of workers. An example that a sampler takes twice in an epoch has
    others the second time.

    Parameters
    ----------
    data : Dataset, array x, tuple (x, y) or (x, y, weight)
        At least one example. An object with ``__len__`` and ``__getitem__`` becomes a
        `MapDataset`.
    batch_size : int
        Examples in a batch, from 1.
    shuffle : bool
        Whether to draw a new order each epoch; otherwise the order of the data is kept.
    seed : int
        From 0.
    drop_last : bool
        Whether to leave out a last batch that is smaller than ``batch_size``.
    prefetch : int
        How many batches each worker makes ahead; with 0 they are made on demand.
    transform : callable or sequence of callable, optional
        ``transform(x, y, seeds) -> (x, y)`` for each batch, for augmentation, such as
        `Augment`. Several are applied in order. x and y are new arrays that may be
        changed in place. seeds (b,), uint64, holds a seed for each example: draw from
        `fastdl.data.uniform`, or from ``np.random.default_rng(seeds)`` for the batch as
        a whole. It may be called by several workers at once.
    workers : int
        Threads that make batches in the background. They end with the loop that started
        them, even if it breaks out early.
    sampler : callable or array_like of int, optional
        Which examples an epoch has, and in which order, in the place of `shuffle`:
        indices that serve for every epoch, or ``sampler(rng) -> indices`` with the
        generator of the epoch, such as `WeightedRandomSampler`. Each epoch has as many.
    batch_sampler : callable or sequence of array_like of int, optional
        As `sampler`, but the indices of each batch, in the place of `batch_size`,
        `shuffle`, `sampler` and `drop_last` too. Each epoch has as many batches.
    collate_fn : callable, optional
        ``collate_fn(examples) -> (x, y)`` or ``(x, y, weight)`` makes a batch of a list
        of examples as the data set gives them, which may then have several lengths, and
        be of any type. The data may be a list of examples ::

            def padded(examples):
                rows, labels = zip(*examples)
                longest = max(map(len, rows))
                x = [np.pad(row, (0, longest - len(row))) for row in rows]
                return np.stack(x), np.array(labels)

    Attributes
    ----------
    epoch : int
        The epoch that the next ``iter(loader)`` runs through, from 0. Set it to resume.
    seconds_waited : float
        How long loops have waited for batches so far. If it is not far below the
        training time, more workers would help.

    Raises
    ------
    DataError
        When there are no examples, or too few for one batch.
    ShapeError
        When one of the integers is out of range.
    ArgumentError
        When a transform is not a function, shuffle or drop_last is neither True nor
        False, labels are given as batch_size, or a sampler is none or stands beside
        what it takes the place of.
    """

    def __init__(
        self,
        data: DataLike,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        prefetch: int = 2,
        transform: Transform | Sequence[Transform] | None = None,
        workers: int = 1,
        *,
        sampler: Sampler | None = None,
        batch_sampler: BatchSampler | None = None,
        collate_fn: Collate | None = None,
    ) -> None:
        if holds_several(batch_size):
            raise ArgumentError(
                "DataLoader: the second place is for batch_size, got an array; give "
                "labels with the inputs, as a tuple: DataLoader((x, y))"
            )
        self.dataset: Dataset
        if collate_fn is None:
            self.dataset = as_dataset(data)
        else:
            self.dataset = Collated(data, collate_fn)
        self.batch_size = integer(batch_size, "DataLoader: batch_size")
        self.shuffle = flag(shuffle, "DataLoader: shuffle")
        self.seed = integer(seed, "DataLoader: seed", minimum=0)
        self.drop_last = flag(drop_last, "DataLoader: drop_last")
        self.prefetch = integer(prefetch, "DataLoader: prefetch", minimum=0)
        self.transforms = transforms_of(transform, "DataLoader")
        self.workers = integer(workers, "DataLoader: workers")
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.collate_fn = collate_fn
        self.epoch = 0
        self.seconds_waited = 0.0
        if len(self.dataset) == 0:
            raise DataError("DataLoader: the data set is empty")
        self._check_samplers()
        count = len(self.dataset)
        if sampler is not None or batch_sampler is not None:
            order, ends = self._order(0)
            count = len(order)
        else:
            ends = self._ends(count)
        self._count = len(ends)
        if self._count == 0:
            raise DataError(
                f"DataLoader: {count} examples do not fill one batch of "
                f"{self.batch_size}; lower batch_size or use drop_last=False"
            )

    def __len__(self) -> int:
        """How many batches there are in an epoch."""
        return self._count

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        epoch = self.epoch
        self.epoch += 1
        return self.batches(epoch)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Return the batches of one epoch; ``self.epoch`` stays unchanged.

        From batch number `first` on: of those before, no example is read.
        """
        return self._batches(epoch, first, self._make)

    def parts(
        self, epoch: int, part: int, parts: int, first: int = 0
    ) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """Return one of several parts of each batch, see `fastdl.parallel`.

        Only that part is read and made, unless there is a transform without an
        attribute ``each_alone = True``: it may mix the examples of a batch. In the
        place of an empty part stands the first example. `first` is as in `batches`.

        Yields
        ------
        total : int
            How many examples the whole batch has.
        batch : tuple of ndarray
            The part.
        """
        alone = all(getattr(each, "each_alone", False) for each in self.transforms)

        def make(
            epoch: int, dataset: Dataset, examples: np.ndarray, numbers: np.ndarray
        ) -> tuple[int, tuple]:
            total = len(examples)
            start, end = bounds(total, part, parts)
            rows = slice(start, end) if start < end else slice(1)
            if alone:
                own = self._make(epoch, dataset, examples[rows], numbers[rows])
                return total, own
            whole = self._make(epoch, dataset, examples, numbers)
            return total, tree_map(lambda e: None if e is None else e[rows], whole)

        return self._batches(epoch, first, make)

    def _batches(
        self,
        epoch: int,
        first: int,
        make_batch: Callable[[int, Dataset, np.ndarray, np.ndarray], T],
    ) -> Iterator[T]:
        epoch = integer(epoch, "DataLoader: epoch", minimum=0)
        order, ends = self._order(epoch)
        if len(ends) != self._count:
            raise DataError(
                f"DataLoader: the sampler made {len(ends)} batches for epoch {epoch}, "
                f"but {self._count} for epoch 0; each epoch needs as many"
            )
        numbers = order
        if self.sampler is not None or self.batch_sampler is not None:
            numbers = order + len(self.dataset) * times_before(order)
        dataset = at_epoch(self.dataset, epoch)

        def make(number: int) -> T:
            batch = slice(ends[number - 1] if number else 0, ends[number])
            return make_batch(epoch, dataset, order[batch], numbers[batch])

        remaining = range(first, len(self))
        if not self.prefetch:
            return self._timed(make(number) for number in remaining)
        depth = self.prefetch * self.workers
        return self._timed(prefetched(make, remaining, self.workers, depth))

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the examples of an epoch, and where among them each batch ends."""
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, epoch)))
        if self.batch_sampler is not None:
            drawn = cast(Iterable[ArrayLike], draw(self.batch_sampler, rng))
            batches = [self._rows(batch, "batch_sampler") for batch in drawn]
            if not batches:
                raise DataError("DataLoader: batch_sampler made no batches")
            return np.concatenate(batches), np.cumsum([len(each) for each in batches])
        if self.sampler is not None:
            order = self._rows(cast(ArrayLike, draw(self.sampler, rng)), "sampler")
        elif self.shuffle:
            order = rng.permutation(len(self.dataset))
        else:
            order = np.arange(len(self.dataset))
        return order, self._ends(len(order))

    def _ends(self, count: int) -> np.ndarray:
        """Return where each batch of so many examples ends."""
        whole, rest = divmod(count, self.batch_size)
        ends = np.arange(1, whole + 1) * self.batch_size
        return np.append(ends, count) if rest and not self.drop_last else ends

    def _rows(self, indices: ArrayLike, name: str) -> np.ndarray:
        """Return what a sampler gave as indices of examples."""
        where = f"DataLoader: {name}"
        chosen = array(indices, where)
        if chosen.size == 0:
            raise DataError(f"{where} chose no examples")
        return rows(chosen, len(self.dataset), where)

    def _check_samplers(self) -> None:
        """Refuse what is no sampler, and what a sampler takes the place of."""
        for name, replaced in _REPLACED.items():
            sampler = getattr(self, name)
            if sampler is None:
                continue
            check_sampler(sampler, name)
            for option, default in replaced.items():
                given = getattr(self, option)
                if type(given) is not type(default) or given != default:
                    raise ArgumentError(
                        f"DataLoader: {name} takes the place of {option}; leave one out"
                    )

    def _make(
        self, epoch: int, dataset: Dataset, examples: np.ndarray, numbers: np.ndarray
    ) -> tuple:
        x, y, weight = take_real(dataset, examples)
        for number, transform in enumerate(self.transforms):
            seeds = example_seeds(self.seed, epoch, numbers, number)
            x, y = _pair(transform(x, y, seeds))
        if weight is None:
            return x, y
        if length(x) != len(examples):
            raise DataError(
                f"DataLoader: transform made {length(x)} of {len(examples)} examples "
                f"that have weights"
            )
        return x, y, weight

    def _timed(self, batches: Generator[T, None, None]) -> Iterator[T]:
        """Add up the time spent waiting for each batch."""
        try:
            while True:
                start = time.perf_counter()
                batch = next(batches, None)
                self.seconds_waited += time.perf_counter() - start
                if batch is None:
                    return
                yield batch
        finally:
            batches.close()

    def __repr__(self) -> str:
        return (
            f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, "
            f"shuffle={self.shuffle}, seed={self.seed})"
        )


def holds_several(value: object) -> bool:
    """Whether labels or other values stand where one number should."""
    return isinstance(value, (list, tuple)) or np.ndim(value) > 0  # type: ignore[arg-type]


def transforms_of(
    transform: Transform | Sequence[Transform] | None, who: str
) -> tuple[Transform, ...]:
    """Return transforms as a tuple; ArgumentError for one that can't be called."""
    if transform is None:
        return ()
    several = tuple(transform) if isinstance(transform, (list, tuple)) else (transform,)
    for one in several:
        if isinstance(one, type) or not callable(one) or not _takes_three(one):
            raise ArgumentError(
                f"{who}: transform must be a function (x, y, seeds) -> (x, y), "
                f"such as Augment(flip=0.5), or a list of them; got {one!r:.60}"
            )
    return several


def _takes_three(function: Callable) -> bool:
    """Whether a function can be called with three arguments, as far as it tells."""
    try:
        inspect.signature(function).bind(*range(3))
    except TypeError:
        return False
    except ValueError:  # compiled: it does not tell
        pass
    return True


def _pair(result: object) -> Batch:
    if not isinstance(result, tuple) or len(result) != 2:
        raise DataError(
            "DataLoader: transform must return a tuple (x, y), got "
            f"{type(result).__name__}"
        )
    x, y = result
    if y is not None and length(x) != length(y):
        raise DataError(
            f"DataLoader: transform returned {length(x)} examples x but {length(y)} y"
        )
    return x, y
