"""The order in which PyTorch has the features of a row.

It has pictures as (n, c, h, w). So the features of a flattened picture come channel by
channel there and pixel by pixel here, and so do those that are reshaped to a picture.
Such an order spreads to the rows that are added to such a row, and goes through
activations, norms and joints. A dense layer takes and gives its features in any order.

So each element that a forward pass recorded has a place in PyTorch. Those of pictures
are known; operations link the places of their results with those of their operands; the
links are followed in both directions until nothing new is learned. What is open then
has one order in both libraries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from fastdl.autograd import Leaf, Node, Tensor
from fastdl.typing import Shape

# Operations that leave each element where the operand has it.
_OF_ONE = re.compile(
    "abs|activation|astype|batch_norm(_inference)?|clamp|dropout|exp|log|log_softmax|"
    "negative|normalise|prelu|softmax|sqrt"
)
_OF_TWO = re.compile("add|divide|maximum|minimum|multiply|power|subtract|where")

# Instead of a place: not known yet; not the same from all sides, or in no place.
_OPEN, _LOST = -1, -2


@dataclass(frozen=True)
class _Link:
    """Elements of a result that are elements of an operand."""

    result: Node
    source: Node | Leaf | None  # None: a constant
    shape: Shape  # of the operand
    of_source: np.ndarray  # where the elements are in the operand,
    of_result: np.ndarray  # and in the result
    both: bool = True  # whether PyTorch moves them too; otherwise they stay in place


class Orders:
    """PyTorch's order of the features of each row of one forward pass."""

    def __init__(self) -> None:
        self._places: dict[Node | Leaf, np.ndarray] = {}
        self._given: set[Node | Leaf] = set()  # those of which nothing is to be learned
        self._links: list[_Link] = []

    def add(self, tensor: Tensor) -> None:
        """Enter rows or pictures, and all from which their elements come."""
        node, shape = tensor._node, tensor.shape
        if len(shape) == 4:  # all pictures are alike: look for a row behind them
            while isinstance(node, Node) and (operands := _operands(node, shape)):
                node = operands[0]
        waiting = [(node, shape)]
        while waiting:
            node, shape = waiting.pop()
            if node is None or node in self._places:
                continue
            links = list(_links(node, shape)) if isinstance(node, Node) else []
            self._places[node] = places = _known(node, shape, links)
            if not np.any(places == _OPEN):
                self._given.add(node)
            self._links += [link for link in links if link.source is not None]
            waiting += [(link.source, link.shape) for link in links]

    def solve(self) -> None:
        """Follow the links until nothing new is learned."""
        self._links.sort(key=lambda link: link.result.tick)
        is_news = True
        while is_news:
            both_ways = (*self._links, *reversed(self._links))
            is_news = sum(self._follow(link) for link in both_ways) > 0

    def of(self, tensor: Tensor) -> np.ndarray:
        """Return PyTorch's place of each feature of a row.

        If it has no order that can be told, then they are not all different.
        """
        own = np.arange(tensor.size)
        places = self._places.get(tensor._node, own)  # type: ignore[arg-type]
        return np.where(places == _OPEN, own, places)

    def _follow(self, link: _Link) -> bool:
        """Take what is known at one end to the other; return whether it was news."""
        source, result = self._places[link.source], self._places[link.result]  # type: ignore[index]  # constants are left out
        forth, back = source[link.of_source], result[link.of_result]
        if link.both:
            forth = _moved(forth, link.of_source, link.of_result, source.size)
            back = _moved(back, link.of_result, link.of_source, result.size)
        back[back == _LOST] = _OPEN  # the operand may still be in one order
        is_news = link.result not in self._given and _learn(
            result, link.of_result, forth
        )
        return is_news | (
            link.source not in self._given and _learn(source, link.of_source, back)
        )


def _moved(
    places: np.ndarray, start: np.ndarray, end: np.ndarray, size: int
) -> np.ndarray:
    """Return the places to which PyTorch moves elements from `start` to `end`."""
    moved = np.full(size, _LOST)
    moved[start] = end
    return np.where(places < 0, places, moved[places])


def _learn(places: np.ndarray, at: np.ndarray, new: np.ndarray) -> bool:
    """Enter new places where none were known; return whether anything has changed."""
    old = places[at]
    differ = (old != new) & (old != _OPEN) & (new != _OPEN)
    places[at] = np.where(differ, _LOST, np.where(old == _OPEN, new, old))
    return not np.array_equal(places[at], old)


def _known(node: Node | Leaf, shape: Shape, links: list[_Link]) -> np.ndarray:
    """Return the places of a tensor's elements that are known from the beginning."""
    own = np.arange(math.prod(shape))
    operation = node.operation if isinstance(node, Node) else ""
    if len(shape) == 4:
        if links and len(links[0].shape) == 4:  # transposed: its operand is the picture
            return np.full(own.size, _OPEN)
        n, h, w, c = shape
        return np.moveaxis(own.reshape(n, c, h, w), 1, 3).ravel()
    if not links and operation != "linear":
        return own
    places = np.full(own.size, _OPEN)
    for link in links:
        if link.source is None:  # a constant
            places[link.of_result] = link.of_result
    return places


def _links(node: Node, shape: Shape) -> Iterator[_Link]:
    """Yield which elements of a result are those of its operands."""
    own = np.arange(math.prod(shape))
    source, arguments = node.inputs[0], node.arguments
    if node.operation == "reshape":
        (inside,) = arguments
        # Three axes are a sequence, which has one order in both libraries.
        if 2 in (len(inside), len(shape)):
            yield _Link(node, source, inside, own, own, both=False)
    elif node.operation == "transpose":
        (inverse,) = arguments
        moved = own.reshape(shape).transpose(inverse or None)
        inside = moved.shape
        is_picture = len(shape) == 4
        if is_picture and _is_reshaped_row(source):  # to (n, c, h, w), on purpose
            (inside,), (source, *_) = source.arguments, source.inputs
        yield _Link(node, source, inside, own, moved.ravel(), both=not is_picture)
    elif len(shape) == 4:
        return
    elif node.operation == "concatenate":
        axis, sizes = arguments
        parts = np.split(own.reshape(shape), np.cumsum(sizes)[:-1], axis)
        for source, part in zip(node.inputs, parts, strict=True):
            yield _Link(node, source, part.shape, np.arange(part.size), part.ravel())
    elif node.operation == "index" and len(arguments[1]) < 4:
        key, inside = arguments
        chosen = np.arange(math.prod(inside)).reshape(inside)[key]
        yield _Link(node, source, inside, np.ravel(chosen), own)
    elif node.operation == "flip":
        chosen = np.flip(own.reshape(shape), arguments[0])
        yield _Link(node, source, shape, chosen.ravel(), own)
    for operand in _operands(node, shape):
        yield _Link(node, operand, shape, own, own)


def _operands(node: Node, shape: Shape) -> list[Node | Leaf]:
    """Return the operands that have each element where the result has it."""
    if _OF_ONE.fullmatch(node.operation):
        return [source for source in node.inputs[:1] if source]
    if not _OF_TWO.fullmatch(node.operation):
        return []
    shapes = node.arguments[-1] if node.operation == "where" else node.arguments
    pairs = zip(node.inputs, shapes, strict=True)
    return [source for source, inside in pairs if source and inside == shape]


def _is_reshaped_row(node: Node | Leaf | None) -> TypeGuard[Node]:
    return (
        isinstance(node, Node)
        and node.operation == "reshape"
        and len(node.arguments[0]) == 2
    )
