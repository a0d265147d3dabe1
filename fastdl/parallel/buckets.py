"""Gradients summed over all processes while the backward pass goes on.

The flat gradients of an optimiser are cut into buckets. As soon as backward has all
gradients of a bucket, each rank sends every other rank the part that this one sums,
adds what it gets in the order of the ranks, and sends the sum to all: an all-reduce
whose additions have the same order, and so the same bits, in every run and with every
MPI.
Messages travel while the gradients of earlier layers are computed.

Source: Thakur, Rabenseifner, Gropp 2005, "Optimization of collective communication
operations in MPICH" (reduce-scatter, then all-gather); Li et al. 2020, "PyTorch
distributed: experiences on accelerating data parallel training" (buckets).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastdl.autograd import Tensor, final_gradients
from fastdl.errors import GraphError
from fastdl.optim import Optimizer
from fastdl.optim.flat import Flat
from fastdl.parallel import waiting
from fastdl.shards import bounds

BYTES = 1 << 20  # of a bucket, at least: large messages, and many beside the backward


class Bucket:
    """Neighbours in a flat array, whose gradients are summed together.

    Parameters
    ----------
    flat : Flat
        Where they are.
    members : range
        Their positions in it.
    scatter, gather : mpi4py.MPI.Comm
        One for each half of the work: on a communicator all ranks must start operations
        in the same order, and only the halves alone are.
    """

    def __init__(self, flat: Flat, members: range, scatter: Any, gather: Any) -> None:
        from mpi4py import MPI

        self.members = members
        self._in_place = MPI.IN_PLACE
        self._flat, self._grad = flat, flat.gradients(members)
        self._scatter, self._gather = scatter, gather
        rank, size = scatter.rank, scatter.size
        places = [bounds(len(self._grad), part, size) for part in range(size)]
        self._starts = [start for start, _ in places]
        self._counts = [end - start for start, end in places]
        self._own = self._grad[slice(*places[rank])]
        self._parts = np.empty((size, len(self._own)), self._grad.dtype)
        self.nbytes = self._grad.nbytes
        self._request: Any = None
        self._is_summed = False

    def begin(self) -> None:
        """Send each rank its part."""
        for index in self.members:
            self._flat.settle(index)
        count = len(self._own)
        starts = [part * count for part in range(len(self._counts))]
        self._is_summed = False
        self._request = self._scatter.Ialltoallv(
            [self._grad, (self._counts, self._starts)],
            [self._parts, ([count] * len(starts), starts)],
        )

    def advance(self, wait: bool = False) -> bool:
        """Go on as far as messages have arrived, or to the end; return whether done."""
        if not self._is_summed and self._arrived(wait):
            # Along the first axis: rank by rank.
            np.add.reduce(self._parts, axis=0, out=self._own)
            self._is_summed = True
            self._request = self._gather.Iallgatherv(
                self._in_place, [self._grad, (self._counts, self._starts)]
            )
        return self._is_summed and self._arrived(wait)

    def _arrived(self, wait: bool) -> bool:
        if not wait:
            return self._request.Test()
        waiting.wait(self._request, self.nbytes)
        return True


class Buckets:
    """All gradients of an optimiser.

    Parameters
    ----------
    parameters : iterable of Tensor
        In the order in which the forward pass uses them; backward comes the other way.
    optimizer : Optimizer
        Of these parameters.
    comm : mpi4py.MPI.Comm
        The ranks.
    """

    def __init__(
        self, parameters: Iterable[Tensor], optimizer: Optimizer, comm: Any
    ) -> None:
        self._comm = comm
        self._tensors: list[Tensor] = []
        scatter, gather = comm.Dup(), comm.Dup()
        place = {id(tensor): i for i, tensor in enumerate(parameters)}
        last = len(place)
        found = []
        for _, flat in optimizer._flats:
            self._tensors.extend(flat.tensors)
            for members in flat.stretches(BYTES):
                tensors = [flat.tensors[index] for index in members]
                first = min(place.get(id(tensor), last) for tensor in tensors)
                found.append((first, Bucket(flat, members, scatter, gather), tensors))
        found.sort(key=lambda each: each[0], reverse=True)
        self._buckets = [bucket for _, bucket, _ in found]
        self._begun = self._done = 0
        self._number = {
            id(tensor): number
            for number, (_, _, tensors) in enumerate(found)
            for tensor in tensors
        }

    @property
    def on_the_way(self) -> int:
        """How many bytes of gradients travel now."""
        return sum(each.nbytes for each in self._buckets[self._done : self._begun])

    def backward(self, loss: Tensor, gradient: np.ndarray) -> None:
        """Run ``loss.backward(gradient)``, and sum the gradients of all ranks.

        Raises
        ------
        GraphError
            There are gradients already.
        """
        if any(tensor.grad is not None for tensor in self._tensors):
            raise GraphError(
                "parallel: there are gradients of an earlier backward pass, which are "
                "sums over all ranks already; call optimizer.zero_grad() before"
            )
        self._waiting = [0] * len(self._buckets)
        for tensor in self._tensors:
            if tensor.requires_grad:
                self._waiting[self._number[id(tensor)]] += 1
        self._begun = self._done = 0
        with final_gradients(self._note):
            loss.backward(gradient)
        # A gradient that is None on all ranks stays so.
        has = np.array([tensor.grad is not None for tensor in self._tensors], np.uint8)
        ranks_have = np.empty((self._comm.size, len(has)), np.uint8)
        request = self._comm.Iallgather(has, ranks_have)
        self._advance(wait=True)
        waiting.wait(request)
        anywhere = ranks_have.max(axis=0).tolist()
        for tensor, exists in zip(self._tensors, anywhere, strict=True):
            if exists and tensor.grad is None and tensor.requires_grad:
                tensor.grad = tensor._grad_view

    def _note(self, tensor: Tensor | None) -> None:
        """Begin with each bucket that is complete, in their order on all ranks."""
        number = self._number.get(id(tensor))
        if number is None:  # the optimiser does not train it
            return
        self._waiting[number] -= 1
        self._advance()

    def _advance(self, wait: bool = False) -> None:
        buckets = self._buckets
        while self._begun < len(buckets) and (wait or not self._waiting[self._begun]):
            buckets[self._begun].begin()
            self._begun += 1
        while self._done < self._begun and buckets[self._done].advance(wait):
            self._done += 1
