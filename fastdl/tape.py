"""The tape: automatic differentiation in reverse.

A `fastdl.Tensor` is a NumPy array that may need a gradient. Every operation whose
result needs one leaves a `Node` behind, which points to the nodes of its operands::

    w ──────────┐                          Leaf(w) <─┐
                multiply ── y ── sum ── L            Node(multiply) <── Node(sum)
    x ──────────┘                          None    <─┘

``L.backward()`` walks from the last node to the leaves. Each node turns dy, the
gradient with respect to its result, into those with respect to its operands (the chain
rule). A node that several others point to receives their sum. A leaf, a tensor made
with ``requires_grad=True``, keeps what arrives in its ``grad``. Where an operand needs
no gradient there is None, and nothing is computed for it.

One clock orders everything: a node takes a tick when it is recorded, a tensor when it
is changed in place. So falling ticks are an order in which to run the tape backward,
and a saved array that changed after its node's tick no longer holds what was saved.

Nodes hold the arrays that their gradient needs, never tensors, and are emptied after
use: memory goes back early. The array of an operand or result is saved together with
the tick of its last change, and only where a gradient reads it; so a change is noticed
exactly where it would falsify a gradient. NumPy arrays have no such tick: one that is
given to an operation must not be written to before the backward pass. Gradients of
gradients are not provided.

What a thread records, if anything, is the affair of `fastdl.recording`.

Source: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol
from weakref import ref

import numpy as np

from fastdl import backend
from fastdl.errors import GraphError
from fastdl.hooks import GradientHooks
from fastdl.recording import state
from fastdl.shapes import check_shape

Backward = Callable[["Node", np.ndarray], tuple["np.ndarray | None", ...]]

tick = itertools.count(1).__next__
_last_change = 0  # the tick of the last change in place, of any tensor
_by_tick = attrgetter("tick")
_FREED = (
    "this graph was freed by an earlier backward(); compute it again, or use "
    "backward(retain_graph=True) the first time"
)


class HasGradient(Protocol):
    """What a leaf asks of its tensor."""

    data: np.ndarray
    grad: np.ndarray | None
    _grad_view: np.ndarray | None


class Node:
    """One recorded operation.

    Attributes
    ----------
    backward
        ``_<operation>_backward(node, dy)`` returns a gradient for each of `inputs`: a
        new array, or `dy` itself, or a view of it; anything for an input that is None.
        None once the node was used.
    inputs
        The nodes of the operands; None for an operand that needs no gradient.
    saved
        The arrays of operands that `backward` reads, each with the ``_changed`` of its
        tensor behind it: ``(x, x_changed, y, y_changed)``. In the place of an array
        that no gradient reads stands None, and its changes do not matter.
    arguments
        What else `backward` reads: shapes, options, arrays that nobody else has; and
        what an export must know of the operation.
    result, changed
        The array of the result, if `backward` reads it, else None; and its ticks.
    tick
        When the operation was recorded.
    """

    __slots__ = (
        "arguments",
        "backward",
        "changed",
        "inputs",
        "result",
        "saved",
        "tick",
    )

    backward: Backward | None
    inputs: tuple[Node | Leaf | None, ...]
    saved: tuple[Any, ...]
    arguments: tuple
    result: Any
    changed: list[int]
    tick: int

    def __repr__(self) -> str:
        return f"Node({self.operation})"

    @property
    def operation(self) -> str:
        """The name of the operation."""
        name = getattr(self.backward, "__name__", "used")
        return name.removeprefix("_").removesuffix("_backward")

    def check(self) -> None:
        """Raise GraphError when the node was used, or its arrays were changed."""
        if self.backward is None:
            raise GraphError(f"backward: {_FREED}")
        if self.tick > _last_change:  # as usual; no need to look at each array
            return
        stale = self.result is not None and self.changed[0] > self.tick
        items = iter(self.saved)
        for array, changed in zip(items, items, strict=True):
            stale |= array is not None and changed[0] > self.tick
        if stale:
            raise GraphError(
                f"backward: a tensor that {self.operation} needs for its gradient was "
                "changed in place (an optimiser's step, an assignment, +=) after the "
                "forward pass; change it after backward(), or a copy"
            )

    def free(self) -> None:
        """Forget everything."""
        self.backward, self.inputs, self.saved, self.arguments = None, (), (), ()
        self.result = None


class Leaf:
    """Where the gradients of a tensor that the user made arrive."""

    __slots__ = ("hooks", "tensor")

    hooks: GradientHooks | None

    def __init__(self, tensor: HasGradient) -> None:
        self.tensor = ref(tensor)  # weak: the tensor holds the leaf
        self.hooks = None

    def receive(self, gradient: np.ndarray) -> None:
        """Let the hooks see the whole gradient of a backward pass, and keep it."""
        if self.hooks is not None:
            gradient = self.hooks(gradient)
        self.accumulate(gradient, gradient)

    def accumulate(self, gradient: np.ndarray, dy: np.ndarray) -> None:
        """Add to the tensor's ``grad``, which never shares memory with others.

        The gradient was computed from `dy` by an operation; it may be a view of it.
        """
        tensor = self.tensor()
        if tensor is None:  # nobody can read it any more
            return
        if gradient.shape != tensor.data.shape:
            check_shape("backward", "a gradient", gradient.shape, tensor.data.shape)
        if tensor.grad is not None:
            tensor.grad += gradient
        elif tensor._grad_view is not None:
            backend.copy(gradient, tensor._grad_view)
            tensor.grad = tensor._grad_view
        elif (
            gradient is not dy
            and not isinstance(gradient.base, np.ndarray)
            and gradient.flags.c_contiguous
        ):
            tensor.grad = gradient
        else:
            new = backend.empty(gradient.shape, gradient.dtype)
            tensor.grad = backend.copy(gradient, new)


class Watched:
    """The ``backward`` of a node whose dy is seen by hooks, and may be kept."""

    def __init__(self, backward: Backward) -> None:
        self.backward = backward
        self.__name__ = backward.__name__
        self.hooks = GradientHooks()
        self.retained: Leaf | None = None

    def see(self, dy: np.ndarray) -> np.ndarray:
        """Return dy as the hooks leave it."""
        dy = self.hooks(dy)
        if self.retained is not None:
            self.retained.accumulate(dy, dy)
        return dy

    def __call__(self, node: Node, dy: np.ndarray) -> tuple[np.ndarray | None, ...]:
        """Return what the operation's own does."""
        return self.backward(node, dy)


def watched(node: Node, method: str) -> Watched:
    """Return the ``backward`` of a node, which lets hooks see dy from now on."""
    if node.backward is None:
        raise GraphError(f"{method}: {_FREED}")
    if not isinstance(node.backward, Watched):
        node.backward = Watched(node.backward)
    return node.backward


def run_backward(root: Node, gradient: np.ndarray, retain_graph: bool) -> None:
    """Send `gradient` from `root` to all leaves that it depends on."""
    nodes, seen = [root], {root}
    for node in nodes:  # grows meanwhile
        node.check()
        for source in node.inputs:
            if isinstance(source, Node) and source not in seen:
                seen.add(source)
                nodes.append(source)
    nodes.sort(key=_by_tick, reverse=True)
    tell = state.on_final
    last = {} if tell is None else _last_nodes(nodes)

    gradients: dict[Node | Leaf, np.ndarray] = {root: gradient}
    for node in nodes:
        dy = gradients.pop(node)
        if type(node.backward) is Watched:
            dy = node.backward.see(dy)
        dxs: tuple[Any, ...] = node.backward(node, dy)  # type: ignore[misc]  # checked
        for place, source in enumerate(node.inputs):
            if source is None:
                continue
            dx = dxs[place]
            if isinstance(source, Leaf) and source.hooks is None:
                source.accumulate(dx, dy)
            elif source in gradients:
                gradients[source] = backend.add(gradients[source], dx)
            else:
                gradients[source] = dx
        if node in last and tell is not None:
            for each in last[node]:
                tell(each.tensor())
        if not retain_graph:
            node.free()
    for leaf, gradient in gradients.items():  # those with hooks are left
        assert isinstance(leaf, Leaf)
        leaf.receive(gradient)
        if tell is not None:
            tell(leaf.tensor())


def _last_nodes(nodes: list[Node]) -> dict[Node, list[Leaf]]:
    """Return which leaves without hooks get the last of their gradient from a node."""
    sources = {
        leaf: node
        for node in nodes
        for leaf in node.inputs
        if isinstance(leaf, Leaf) and leaf.hooks is None
    }
    last: dict[Node, list[Leaf]] = {}
    for leaf, node in sources.items():
        last.setdefault(node, []).append(leaf)
    return last


def tick_of_change() -> int:
    """Return what to put into the ``_changed`` of tensors that are changed in place."""
    global _last_change
    _last_change = tick()
    return _last_change
