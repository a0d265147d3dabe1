"""Gradients summed over all processes while the backward pass goes on.

The flat gradients of an optimiser are cut into buckets. As soon as backward has all
gradients of a bucket, each rank sends every other rank the part that this one sums,
adds what it gets in the order of the ranks, and sends the sum to all: an all-reduce
whose additions have the same order, and so the same bits, in every run and with every
MPI. Messages travel while the gradients of earlier layers are computed.

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
    comm : mpi4py.MPI.Comm
        The ranks; for nothing else than buckets.
    number : int
        Another one for each bucket, the same on all ranks.
    """

    def __init__(self, flat: Flat, members: range, comm: Any, number: int) -> None:
        self.members = members
        self._flat, self._comm, self._number = flat, comm, number
        gradients = flat.gradients(members)
        self.nbytes = gradients.nbytes
        places = [bounds(len(gradients), part, comm.size) for part in range(comm.size)]
        self._pieces = [gradients[start:end] for start, end in places]
        self._own = self._pieces[comm.rank]
        self._others = [rank for rank in range(comm.size) if rank != comm.rank]
        # What is to be summed here, in the order of the ranks.
        self._terms = [np.empty_like(self._own) for _ in range(comm.size)]
        self._terms[comm.rank] = self._own
        self._requests: list[Any] = []
        self._is_summed = False

    def begin(self) -> None:
        """Send each rank its piece."""
        for index in self.members:
            self._flat.settle(index)
        self._is_summed = False
        self._exchange(self._pieces, self._terms, 2 * self._number)

    def advance(self, wait: bool = False) -> bool:
        """Go on as far as messages have arrived, or to the end; return whether done."""
        if not self._is_summed and self._arrived(wait):
            first, *between, last = self._terms
            for term in between:
                first += term
            np.add(first, last, out=self._own)
            self._is_summed = True
            sums = [self._own] * self._comm.size
            self._exchange(sums, self._pieces, 2 * self._number + 1)
        return self._is_summed and self._arrived(wait)

    def _exchange(
        self, given: list[np.ndarray], taken: list[np.ndarray], tag: int
    ) -> None:
        """Begin to send one array to each other rank, and to receive one of each."""
        comm = self._comm
        self._requests = [comm.Irecv(taken[rank], rank, tag) for rank in self._others]
        self._requests += [comm.Isend(given[rank], rank, tag) for rank in self._others]

    def _arrived(self, wait: bool) -> bool:
        if not wait:
            return waiting.have_ended(self._requests)
        waiting.wait(self._requests, self.nbytes)
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
        apart = comm.Dup()
        place = {id(tensor): i for i, tensor in enumerate(parameters)}
        last = len(place)
        found: list[tuple[int, Bucket, list[Tensor]]] = []
        for _, flat in optimizer._flats:
            self._tensors.extend(flat.tensors)
            for members in flat.stretches(BYTES):
                tensors = [flat.tensors[index] for index in members]
                first = min(place.get(id(tensor), last) for tensor in tensors)
                bucket = Bucket(flat, members, apart, len(found))
                found.append((first, bucket, tensors))
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
        waiting.wait([request])
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
