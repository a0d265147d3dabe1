"""The processes that train together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import numpy as np

from fastdl.autograd import Tensor, mark_changed
from fastdl.data import DataLoader
from fastdl.errors import DataError, FastdlError
from fastdl.nn import Module
from fastdl.optim import Optimizer
from fastdl.parallel.buckets import Buckets
from fastdl.parallel.waiting import wait
from fastdl.shards import Shard, bounds, current, using
from fastdl.structure import Structure, length, tree_map

_TEXT = 1000  # bytes of a text that is sent


class Ranks:
    """Processes with the same model, each of which computes a part of every batch.

    ::

        ranks = parallel.start()
        ranks.share(model, optimizer)
        for x, y in ranks.batches(loader):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            ranks.backward(loss)
            optimizer.step()

    The batches, their augmentation, dropout and batch norm are those of one process
    with the same loader, and so are the weights, up to the rounding of sums.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        Its own communicator; None for this process alone, where all methods do what
        they would do without `Ranks`.

    Attributes
    ----------
    rank, size : int
        The number of this process, from 0, and how many there are.
    sync_batch_norm : bool
        Whether batch norm uses the statistics of the whole batch, True at first.
        Otherwise each rank uses those of its part: faster on slow networks, but the
        results depend on the number of ranks. The running statistics are averaged.
    """

    def __init__(self, comm: Any = None) -> None:
        self._comm = comm
        self.rank: int = comm.rank if comm else 0
        self.size: int = comm.size if comm else 1
        self.sync_batch_norm = True
        self._buckets: Buckets | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes files and reports."""
        return self.rank == 0

    @property
    def has_examples(self) -> bool:
        """Whether this rank has a part of the present batch that counts."""
        shard = current()
        return shard is None or shard.count > 0

    # Training

    def share(self, model: Module, optimizer: Optimizer, *others: Tensor) -> None:
        """Give all ranks the weights and buffers of the first one.

        Parameters
        ----------
        model : Module
            All its sizes are known.
        optimizer : Optimizer
            Of its parameters, and of `others`; made on all ranks alike.
        *others : Tensor
            Parameters beside the model, such as those of a loss.

        Raises
        ------
        DataError
            The models or the optimisers differ.
        """
        if self._comm is None:
            return
        parameters = [*model.parameters(), *others]
        described = [(p.shape, p.dtype.name, p.requires_grad) for p in parameters]
        self.agree("model", [described, [b.shape for b in model.buffers()]])
        for array in [*(p.data for p in parameters), *model.buffers()]:
            whole = np.ascontiguousarray(array)
            wait([self._comm.Ibcast(whole)])
            if whole is not array:
                array[...] = whole
        mark_changed(parameters)
        self.check(model, optimizer)
        self._buckets = Buckets(parameters, optimizer, self._comm)

    def batches(self, loader: DataLoader, first: int = 0) -> Iterator[tuple]:
        """Yield this rank's part of each batch of the next epoch of a loader.

        From batch number `first` on, see `fastdl.data.DataLoader.batches`.

        Dropout and batch norm take part in the whole batch until the next one is asked
        for. A rank without examples, when the last batch is small, gets one that counts
        for nothing.

        Raises
        ------
        DataError
            The loaders differ, or a transform changed the number of examples.
        """
        if self._comm is None:
            own = type(loader)
            if not first:
                yield from loader
            elif (own.__iter__, own.batches) == (
                DataLoader.__iter__,
                DataLoader.batches,
            ):
                epoch, loader.epoch = loader.epoch, loader.epoch + 1
                yield from loader.batches(epoch, first)
            else:  # the user's own, which can only be read from its beginning
                yield from islice(loader, first, None)
            return
        sizes = [len(loader.dataset), loader.batch_size, len(loader), loader.epoch]
        self.agree("loader", [*sizes, loader.seed, loader.shuffle])
        epoch, loader.epoch = loader.epoch, loader.epoch + 1
        made = loader.parts(epoch, self.rank, self.size, first)
        gather = self.gather if self.sync_batch_norm else None
        with closing(made) as batches:  # type: ignore[type-var]
            for total, batch in batches:
                start, end = bounds(total, self.rank, self.size)
                shard = Shard(start, end - start, total, gather)
                if length(batch[0]) != shard.size:
                    raise DataError(
                        f"parallel: a transform made {length(batch[0])} examples of "
                        f"{shard.size}; on several ranks their number must stay"
                    )
                with using(shard):
                    yield batch

    def backward(self, loss: Tensor, count: float | None = None) -> float:
        """Compute the gradients of the mean loss over all ranks.

        Parameters
        ----------
        loss : Tensor
            The mean over this rank's part of the batch.
        count : float, optional
            How much the part counts in the mean, such as the sum of the weights of its
            examples; by default the number of examples.

        Returns
        -------
        float
            The mean over the whole batch.

        Raises
        ------
        FastdlError
            `share` was not called.
        """
        if self._comm is None:
            loss.backward()
            return loss.item()
        shard = current()
        if count is None:
            count = 1 if shard is None else shard.count
        values = self.gather(np.array([loss.item(), count * self.has_examples]))
        weights = shares(values[:, 1])
        self.send_backward(loss, weights[self.rank])
        return weighted(values[:, 0], weights)

    def send_backward(self, cost: Tensor, share: float = 1.0) -> None:
        """Compute the gradients of the sum, over all ranks, of share times cost."""
        if self._comm is None:
            cost.backward()
            return
        if self._buckets is None:
            raise FastdlError("parallel: call share(model, optimizer) before backward")
        self._buckets.backward(cost, np.full(cost.shape, share, cost.dtype))

    # What all ranks know

    def gather(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers of all ranks, ``(size, *shape)``, in their order."""
        if self._comm is None:
            return numbers[np.newaxis]
        everyone = np.empty((self.size, *numbers.shape), numbers.dtype)
        ahead = 0 if self._buckets is None else self._buckets.on_the_way
        wait([self._comm.Iallgather(np.ascontiguousarray(numbers), everyone)], ahead)
        return everyone

    def rows(self, part: Structure) -> Structure:
        """Return the rows of the whole batch, of which each rank has a part."""
        shard = current()
        if self._comm is None or shard is None:
            return part
        places = [bounds(shard.total, rank, self.size) for rank in range(self.size)]
        counts = [end - first for first, end in places]
        return tree_map(lambda array: self._rows(array, counts, shard.size), part)

    def _rows(self, array: np.ndarray, counts: list[int], own: int) -> np.ndarray:
        rows = [count * (len(array) // own) for count in counts]
        each = int(np.prod(array.shape[1:], dtype=np.int64)) * array.itemsize
        whole = np.empty((sum(rows), *array.shape[1:]), array.dtype)
        sizes = [count * each for count in rows]
        mine = np.ascontiguousarray(array[: rows[self.rank]])
        pieces = [whole.reshape(-1).view(np.uint8), sizes]
        wait([self._comm.Iallgatherv(mine.reshape(-1).view(np.uint8), pieces)])
        return whole

    def examples(self, own: int) -> int:
        """Return how many examples the whole batch has, of which this rank has some."""
        shard = current()
        return own if shard is None else shard.total

    def of_first(self, numbers: Sequence[float]) -> list[float]:
        """Return the numbers that the first rank has."""
        if self._comm is None:
            return list(numbers)
        array = np.array(numbers, np.float64)
        wait([self._comm.Ibcast(array)])
        return array.tolist()

    def texts(self, text: str) -> list[str]:
        """Return the texts of all ranks, each up to some hundred characters."""
        own = np.frombuffer(text.encode()[:_TEXT].ljust(_TEXT), np.uint8)
        return [
            each.tobytes().decode(errors="ignore").rstrip() for each in self.gather(own)
        ]

    def average_buffers(self, model: Module) -> None:
        """Average the running statistics of batch norm, where each rank has its own."""
        if self._comm is None or self.sync_batch_norm:
            return
        for buffer in model.buffers():
            if buffer.dtype.kind == "f":
                buffer[...] = self.gather(buffer).sum(axis=0) / self.size

    def statistics(self, model: Module) -> dict[str, np.ndarray]:
        """Return those of all ranks, (size, ...), where each has its own; else none."""
        if self._comm is None or self.sync_batch_norm:
            return {}
        buffers = enumerate(model.buffers())
        return {str(i): self.gather(b) for i, b in buffers if b.dtype.kind == "f"}

    def take_statistics(self, model: Module, everyone: dict[str, np.ndarray]) -> None:
        """Take its own of what `statistics` returned; on another number the mean."""
        for index, buffer in enumerate(model.buffers()):
            own = everyone.get(str(index))
            if own is not None:
                same = len(own) == self.size
                buffer[...] = own[self.rank] if same else own.mean(axis=0)

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """Let the first rank run a block before the others do, as to fill a cache."""
        if self._comm is not None and not self.is_first:
            wait([self._comm.Ibarrier()])
        yield
        if self._comm is not None and self.is_first:
            wait([self._comm.Ibarrier()])

    # Safety

    def agree(self, what: str, value: object) -> None:
        """Raise DataError unless all ranks give the same value (by its ``repr``)."""
        digest = hashlib.sha256(repr(value).encode()).digest()
        others = self._others(digest)
        if others:
            raise DataError(
                f"parallel: {_named(others)} another {what} than rank 0; start all "
                f"with the same script, arguments and data"
            )

    def check(self, model: Module, optimizer: Optimizer) -> None:
        """Raise DataError unless weights, buffers and optimisers have the same bits."""
        if self._comm is None:
            return
        state = optimizer.state_dict()["state"]
        arrays = {**model.state_dict(), **state}
        whole = hashlib.sha256()
        for name in sorted(arrays):
            whole.update(arrays[name].tobytes())
        if not self._others(whole.digest()):
            return
        for name in sorted(arrays):
            digest = hashlib.sha256(arrays[name].tobytes()).digest()
            if others := self._others(digest):
                raise DataError(
                    f"parallel: {_named(others)} other values of {name!r} than rank 0; "
                    f"does the program change it differently on some ranks?"
                )

    def _others(self, digest: bytes) -> list[int]:
        """Return the ranks whose digest is another than that of the first."""
        digests = self.gather(np.frombuffer(digest, np.uint8))
        return np.flatnonzero((digests != digests[0]).any(axis=1)).tolist()

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"


ALONE = Ranks()
"""One process, which shares nothing."""


def shares(counts: np.ndarray) -> np.ndarray:
    """Return what each rank counts in a mean; equally much where nothing counts."""
    total = sum(counts.tolist())
    return counts / total if total else np.full(len(counts), 1 / len(counts))


def weighted(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean, without what counts for nothing."""
    pairs = zip(values.tolist(), weights.tolist(), strict=True)
    return sum(value * weight for value, weight in pairs if weight)


def _named(ranks: list[int]) -> str:
    text = ", ".join(map(str, ranks))
    return f"ranks {text} have" if len(ranks) > 1 else f"rank {text} has"
