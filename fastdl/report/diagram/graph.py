"""Which box of a model consumes whose output, traced from one forward pass.

Hooks say when a box has run and what went in and out. What happens between boxes, such
as the sum of a skip connection, is read from the tape: from the inputs of a box back to
the outputs of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastdl import nn
from fastdl.autograd import Node, Tensor
from fastdl.nn import Module
from fastdl.nn.module import run
from fastdl.structure import leaves, map_shapes, named_leaves
from fastdl.typing import Shape, ShapesLike

TIMES = "\N{MULTIPLICATION SIGN}"
_SIGNS = {"add": "+", "subtract": "-", "multiply": TIMES, "divide": "/", "matmul": "@"}
_MOST = 30  # boxes that are still readable
_JOINS = ("BatchNorm", "LayerNorm", "GroupNorm", "Drop")  # a box of what is before


@dataclass(eq=False)
class Box:
    """A layer or block, an operation between them, an input or an output.

    Attributes
    ----------
    kind : {"layer", "block", "operation", "input", "output"}
    title, name : str
        What it is, and its path in the model.
    shape : tuple of int
        Of its output for one example.
    parameters : int
        Those that no box above has.
    sources : list of Box
        Whose outputs it consumes.
    repeats : int
        How many alike stand in a row.
    """

    kind: str
    title: str
    name: str = ""
    shape: Shape = ()
    parameters: int = 0
    sources: list[Box] = field(default_factory=list)
    repeats: int = 1


def trace(model: Module, input_shape: ShapesLike, depth: int | None) -> list[Box]:
    """Return the boxes of a model, each after its sources.

    Parameters
    ----------
    model : Module
        Open sizes are inferred.
    input_shape : shape, or tuple or dict of shapes
        Of one example.
    depth : int, optional
        How deep to look into modules, from 1; by default as deep as is readable.
    """
    model.build(input_shape)
    if depth is not None:
        return _Trace(model, depth).boxes
    depth, boxes = 1, _Trace(model, 1).boxes
    while depth < 16:
        deeper = _Trace(model, depth + 1).boxes
        if len(deeper) > _MOST:
            break
        depth, boxes = depth + 1, deeper
    return boxes


class _Trace:
    """One forward pass of an example, and the boxes that it passed."""

    def __init__(self, model: Module, depth: int) -> None:
        self._boxes: list[Box] = []
        self._of_node: dict[int, Box | None] = {}
        self._nodes: list[Any] = []  # alive, so that their ids stay theirs
        self._counted: set[int] = set()
        self._names = {id(module): name for name, module in model.named_modules()}
        dtype = model._dtype()
        x = map_shapes(
            lambda shape: Tensor(np.zeros((1, *shape), dtype), requires_grad=True),
            model.input_shape,
        )
        for name, tensor in named_leaves(x, "input"):
            self._add(Box("input", name, shape=tensor.shape[1:]), tensor)
        with ExitStack() as stack, model.mode(training=False):
            for module in _shown(model, depth):
                stack.callback(module.register_forward_hook(self._note).remove)
            outputs = run(model, x)
        for name, tensor in named_leaves(outputs, "output"):
            box = Box("output", name, shape=tensor.shape[1:])
            box.sources = self._sources([tensor])
            self._boxes.append(box)
        self.boxes = _collapsed(_joined(self._boxes))

    def _note(self, module: Module, inputs: tuple, output: Any) -> None:
        """Add the box of a module that has just run."""
        own = [p for p in module.parameters() if id(p) not in self._counted]
        self._counted.update(map(id, own))
        is_leaf = not any(True for _ in module.children())
        title = repr(module).removesuffix("()") if is_leaf else type(module).__name__
        tensors = [each for each in leaves(inputs) if isinstance(each, Tensor)]
        made = [each for each in leaves(output) if isinstance(each, Tensor)]
        box = Box(
            "layer" if is_leaf else "block",
            title,
            self._names[id(module)],
            made[0].shape[1:] if made else (),
            sum(parameter.size for parameter in own),
            self._sources(tensors),
        )
        for node in self._behind([tensor._node for tensor in made]):
            source = self._of_node.get(id(node))
            if source is not None and source not in box.sources:
                box.sources.append(source)  # by keyword, such as a residual
        self._add(box, *made)

    def _behind(self, nodes: list[Any]) -> list[Any]:
        """Return nodes with those they come from, as far as the boxes known so far.

        Each is looked at once: the paths to it double with each skip.
        """
        found, waiting = {}, nodes[::-1]
        while waiting:
            node = waiting.pop()
            if node is not None and id(node) not in found:
                found[id(node)] = node
                if id(node) not in self._of_node:
                    waiting += reversed(getattr(node, "inputs", ()))
        return list(found.values())

    def _add(self, box: Box, *outputs: Tensor) -> None:
        self._boxes.append(box)
        for tensor in outputs:
            self._nodes.append(tensor._node)
            self._of_node[id(tensor._node)] = box

    def _sources(self, tensors: list[Tensor]) -> list[Box]:
        found = [self._box(tensor._node, tensor.shape[1:]) for tensor in tensors]
        return [box for box in found if box is not None]

    def _box(self, node: Any, shape: Shape) -> Box | None:
        """Return the box that made a node; None for a parameter or a constant."""
        behind = [each for each in self._behind([node]) if isinstance(each, Node)]
        for each in sorted(behind, key=lambda each: each.tick):
            if id(each) in self._of_node:
                continue
            sources = [self._of_node.get(id(source)) for source in each.inputs]
            known = [box for box in sources if box is not None]
            box = None
            if known:
                name = each.operation
                box = Box("operation", _SIGNS.get(name, name), sources=known)
                self._boxes.append(box)
            self._nodes.append(each)
            self._of_node[id(each)] = box
        box = self._of_node.get(id(node))
        if box is not None and shape and not box.shape:
            box.shape = shape
        return box


def _shown(module: Module, depth: int) -> Iterator[Module]:
    """Yield the modules that are boxes: those of a depth, and leaves above it."""
    for child in module.children():
        if depth == 1 or not any(True for _ in child.children()):
            yield child
        else:
            yield from _shown(child, depth - 1)


def _consumers(boxes: list[Box]) -> dict[int, list[Box]]:
    consumers: dict[int, list[Box]] = {id(box): [] for box in boxes}
    for box in boxes:
        for source in box.sources:
            consumers[id(source)].append(box)
    return consumers


def _replace(boxes: list[Box], old: Box, new: Box) -> None:
    for box in boxes:
        box.sources = [new if source is old else source for source in box.sources]


def _joined(boxes: list[Box]) -> list[Box]:
    """Write normalisation, activation and dropout into the layer before them."""
    kept: list[Box] = []
    consumers = _consumers(boxes)
    for box in boxes:
        head = box.title.partition("(")[0]
        if box.kind == "layer" and len(box.sources) == 1:
            source = box.sources[0]
            alone = source.kind == "layer" and len(consumers[id(source)]) == 1
            joins = head.startswith(_JOINS) or (not box.parameters and _is_small(head))
            if alone and joins and source in kept:
                source.title += f" + {head}"
                source.parameters += box.parameters
                consumers[id(source)] = consumers[id(box)]
                _replace(boxes, box, source)
                continue
        kept.append(box)
    return kept


def _is_small(head: str) -> bool:
    cls = getattr(nn, head, None)
    return isinstance(cls, type) and issubclass(cls, Module) and cls._is_activation


def _collapsed(boxes: list[Box]) -> list[Box]:
    """Make one box of blocks that stand in a row and are alike."""
    kept: list[Box] = []
    consumers = _consumers(boxes)
    for box in boxes:
        if box.kind == "block" and len(box.sources) == 1:
            source = box.sources[0]
            alike = (source.kind, source.title, source.shape) == (
                (box.kind, box.title, box.shape)
            ) and source.parameters == box.parameters * source.repeats
            if alike and len(consumers[id(source)]) == 1:
                source.repeats += 1
                source.parameters += box.parameters
                first = source.name.partition(" to ")[0]
                source.name = f"{first} to {box.name}"
                consumers[id(source)] = consumers[id(box)]
                _replace(boxes, box, source)
                continue
        kept.append(box)
    return kept
