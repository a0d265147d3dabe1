"""Tensors and the tape: automatic differentiation in reverse.

A `Tensor` is a NumPy array that may need a gradient. Every operation whose result needs
one leaves a `Node` behind, and each node points to the nodes of its operands::

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from fastdl import backend, dlpack
from fastdl.dlpack import Shareable
from fastdl.errors import DtypeError, GraphError, SharingError
from fastdl.hooks import GradientHook, GradientHooks, HookHandle
from fastdl.recording import is_recording as is_recording
from fastdl.recording import no_grad as no_grad
from fastdl.recording import state
from fastdl.recording import tracing as tracing
from fastdl.shapes import array as numbers
from fastdl.shapes import check_shape, real_dtype
from fastdl.typing import ArrayLike, DtypeLike, TensorLike

if TYPE_CHECKING:
    from typing_extensions import CapsuleType

Backward = Callable[["Node", np.ndarray], tuple["np.ndarray | None", ...]]

_tick = itertools.count(1).__next__
_last_change = 0  # the tick of the last change in place, of any tensor
_by_tick = attrgetter("tick")
_new = object.__new__
_NATIVE = (np.dtype(np.float32), np.dtype(np.float64))
_FREED = (
    "this graph was freed by an earlier backward(); compute it again, or use "
    "backward(retain_graph=True) the first time"
)


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

    def __init__(self, tensor: Tensor) -> None:
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


class _Watched:
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
        return self.backward(node, dy)


def _watch(node: Node, method: str) -> _Watched:
    """Return the ``backward`` of a node, which lets hooks see dy from now on."""
    if node.backward is None:
        raise GraphError(f"{method}: {_FREED}")
    if not isinstance(node.backward, _Watched):
        node.backward = _Watched(node.backward)
    return node.backward


def record(
    data: np.ndarray,
    backward: Backward | None,
    inputs: tuple[Node | Leaf | None, ...],
    saved: tuple[Any, ...] = (),
    arguments: tuple = (),
    saves_result: bool = False,
) -> Tensor:
    """Wrap the result of an operation, and record the operation if it needs to be.

    See `fastdl.functional.exp` for the whole of a differentiable operation.

    Parameters
    ----------
    data
        The result.
    backward, inputs, saved, arguments
        See `Node`. The inputs are ``(x._node, ...)``. An operand a that only the
        gradient of b reads is saved as ``a.data if b._node else None, a._changed``.
    saves_result
        Whether `backward` reads the result, as ``node.result``.
    """
    result = _new(Tensor)
    result.data = data
    result.grad = result._grad_view = None
    result._changed = changed = [0]
    if any(inputs) and not state.pauses:
        result._node = node = _new(Node)
        node.backward = backward
        node.inputs = inputs
        node.saved = saved
        node.arguments = arguments
        node.result = data if saves_result else None
        node.changed = changed
        node.tick = _tick()
    elif state.trace is None:
        result._node = None
    else:
        result._node = _noted(data, backward, inputs, arguments)
    return result


def _noted(
    data: np.ndarray,
    backward: Backward | None = None,
    inputs: tuple[Node | Leaf | None, ...] = (),
    arguments: tuple = (),
) -> Node:
    """Return a new node of the trace; without `backward` that of a constant."""
    node = _new(Node)
    node.backward, node.inputs = backward, inputs
    node.arguments = arguments if backward else (data,)
    node.saved, node.result, node.changed, node.tick = (), None, [0], _tick()
    trace = state.trace
    assert trace is not None
    trace[node] = data.shape, data.dtype
    return node


def _run_backward(root: Node, gradient: np.ndarray, retain_graph: bool) -> None:
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
        if type(node.backward) is _Watched:
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


@contextmanager
def final_gradients(tell: Callable[[Tensor | None], None]) -> Iterator[None]:
    """Call ``tell(tensor)`` in a block when backward is done with its ``grad``.

    For each tensor made with ``requires_grad=True``, while the pass goes on; None for
    one that is gone by now.
    """
    before, state.on_final = state.on_final, tell
    try:
        yield
    finally:
        state.on_final = before


def tick_of_change() -> int:
    """Return what to put into the ``_changed`` of tensors that are changed in place."""
    global _last_change
    _last_change = _tick()
    return _last_change


def mark_changed(tensors: Iterable[Tensor]) -> None:
    """Tell the tape that the values of all these tensors were changed in place."""
    tick = tick_of_change()
    for tensor in tensors:
        tensor._changed[0] = tick


def as_array(data: ArrayLike, dtype: DtypeLike | None = None) -> np.ndarray:
    """Return numbers as a float32 or float64 array; see `Tensor`."""
    if dtype is None and type(data) is np.ndarray and data.dtype in _NATIVE:
        return data
    array = numbers(data, "tensor: data")
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"tensor: expected numbers, got type {array.dtype}")
    if dtype is None:
        keeps_type = isinstance(data, (np.ndarray, np.floating, Tensor))
        dtype = array.dtype if keeps_type and array.dtype.char in "fd" else np.float32
    return array.astype(real_dtype(dtype, "tensor"), copy=False)


def as_tensor(x: TensorLike) -> Tensor:
    """Return `x` itself when it is a tensor, else ``Tensor(x)``."""
    return x if isinstance(x, Tensor) else Tensor(x)


class Tensor:
    """An array that remembers how it was computed.

    Operators and methods that compute are those of `fastdl.functional`: ``a + b`` is
    ``functional.add(a, b)``. Numbers, lists and integer arrays take the type of the
    tensor they meet. Only one operand may be stretched to the shape of the other; use
    `fastdl.functional.broadcast_to` to say that you mean more. In-place operators
    follow the rules of `fastdl.functional.operators`.

    Parameters
    ----------
    data : array_like
        Numbers of any shape. float32 and float64 arrays keep their type and are
        shared; all others become float32.
    requires_grad : bool
        Whether ``backward`` computes a gradient for this tensor.
    dtype : numpy.dtype, optional
        float32 or float64: convert to this type.

    Attributes
    ----------
    data : numpy.ndarray
        The values. After writing into this array, call `mark_changed` if a result
        computed from it still waits for its backward pass.
    grad : numpy.ndarray or None
        The sum of the gradients since it was last None, of the shape of `data`.

    Raises
    ------
    DtypeError
        `data` holds no real numbers, or `dtype` is not float32 or float64.
    """

    __slots__ = ("__weakref__", "_changed", "_grad_view", "_node", "data", "grad")

    data: np.ndarray
    grad: np.ndarray | None
    _node: Node | Leaf | None  # None: needs no gradient
    _grad_view: np.ndarray | None  # where an optimiser wants `grad` to lie
    _changed: list[int]  # [tick of the last change in place], shared by views

    __array_ufunc__ = None  # array + tensor is ours; np.exp(tensor) would lose the tape

    def __init__(
        self,
        data: ArrayLike,
        requires_grad: bool = False,
        dtype: DtypeLike | None = None,
    ) -> None:
        self.data = as_array(data, dtype)
        self.grad = self._grad_view = None
        self._changed = [0]
        same = data if isinstance(data, Tensor) and data.data is self.data else None
        if same is not None:
            self._changed = same._changed
        if requires_grad:
            self._node = Leaf(self)
        elif state.trace is None:
            self._node = None
        else:
            node = None if same is None else same._node
            self._node = node or _noted(self.data)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Can be set, except on results."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if type(self._node) is Node:
            if not value:
                raise GraphError("requires_grad: fixed for a result; use its detach()")
        elif bool(value) != self.requires_grad:
            self._node = Leaf(self) if value else None

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.data.dtype

    def numpy(self) -> np.ndarray:
        """Return `data`: the values, not a copy."""
        return self.data

    def item(self) -> float:
        """Return the only element as a Python float."""
        return self.data.item()

    __float__ = item

    def detach(self) -> Tensor:
        """Return a tensor of the same memory that needs no gradient."""
        return Tensor(self)

    def mark_changed(self) -> None:
        """Tell the tape that the values were changed in place."""
        mark_changed((self,))

    def backward(
        self, gradient: ArrayLike | None = None, retain_graph: bool = False
    ) -> None:
        """Add the gradients of this tensor to the ``grad`` of every leaf behind it.

        Parameters
        ----------
        gradient : array_like, optional
            The gradient with respect to this tensor; 1 for a single element.
        retain_graph : bool
            Keep the graph for another backward pass. By default its memory is freed.

        Raises
        ------
        GraphError
            The tensor needs no gradient; it has many elements and `gradient` is None;
            its graph was freed, or needs values that were changed. No ``grad`` changes.
        ShapeError
            `gradient` has another shape than this tensor.
        """
        node = self._needing("backward")
        if gradient is not None:
            gradient = as_array(gradient, self.data.dtype)
            check_shape("backward", "gradient", gradient.shape, self.data.shape)
        elif self.data.size == 1:
            gradient = np.array(1, self.data.dtype, ndmin=self.data.ndim)
        else:
            raise GraphError(
                f"backward: starts from a single number, got shape {self.data.shape}; "
                "reduce it with .mean() or .sum(), or pass gradient="
            )
        if isinstance(node, Leaf):
            node.receive(gradient)
        else:
            _run_backward(node, gradient, retain_graph)

    def register_hook(self, hook: GradientHook) -> HookHandle:
        """Call ``hook(gradient)`` when the gradient of this tensor is known.

        Once in each backward pass, with the sum of all that arrives. What the hook
        returns takes its place: of an intermediate result on the way back, of a leaf
        in its ``grad``; None leaves it as it is. ::

            handle = x.register_hook(lambda gradient: gradient.clip(-1, 1))

        Parameters
        ----------
        hook : callable
            Takes a read-only array of the shape of this tensor; returns None or an
            array of that shape. Hooks are called in the order of their registration.

        Returns
        -------
        HookHandle
            ``handle.remove()`` ends it. The hooks of a result go with its graph.

        Raises
        ------
        GraphError
            The tensor needs no gradient, or its graph was freed. In ``backward``, what
            a hook raises is passed on; another shape is a ShapeError.
        """
        node = self._needing("register_hook")
        if isinstance(node, Node):
            return _watch(node, "register_hook").hooks.add(hook)
        if node.hooks is None:
            node.hooks = GradientHooks()
        return node.hooks.add(hook)

    def retain_grad(self) -> None:
        """Keep the gradient of this result in its ``grad``, as a leaf does anyway.

        It is the one that the hooks of this tensor leave, and is added to what ``grad``
        holds.

        Raises
        ------
        GraphError
            The tensor needs no gradient, or its graph was freed.
        """
        node = self._needing("retain_grad")
        if isinstance(node, Node):
            _watch(node, "retain_grad").retained = Leaf(self)

    def _needing(self, method: str) -> Node | Leaf:
        if self._node is None:
            raise GraphError(
                f"{method}: this tensor needs no gradient; was it computed inside "
                f"no_grad(), or from tensors without requires_grad=True?"
            )
        return self._node

    def __array__(
        self, dtype: DtypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        if copy:
            return np.array(self.data, dtype)
        array = np.asarray(self.data, dtype)
        if copy is False and array is not self.data:
            raise ValueError(
                f"__array__: {self.data.dtype} as {array.dtype} needs a copy, and "
                "copy=False forbids it"
            )
        return array

    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType:
        """Share the memory with another library: ``torch.from_dlpack(tensor)``.

        After the other library has written into it, call `mark_changed`, as after
        writing into `data`.

        Raises
        ------
        SharingError
            A gradient flows to the tensor; its array is read-only, or has a reversed
            axis; or the memory is asked for on another device. A ``copy`` may be both.
        """
        if self.requires_grad:
            raise SharingError(
                "__dlpack__: another library would not see the gradient that this "
                "tensor needs; share its detach()"
            )
        return dlpack.capsule(self.data, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self.data)))

    def __bool__(self) -> bool:
        return bool(self.data)

    def __format__(self, spec: str) -> str:
        """Format a single number as Python's: ``f"{loss:.3f}"``."""
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        values = repr(self.data)[len("array(") : -1].replace("\n", "\n ")
        return f"Tensor({values}{', requires_grad=True' * self.requires_grad})"

    def __reduce__(self) -> tuple:  # for deepcopy and pickle
        if type(self._node) is Node:
            raise GraphError("copy: a result is tied to its graph; copy its detach()")
        state = getattr(self, "__dict__", None), {"grad": self.grad}
        return _rebuilt, (type(self), self.data, self.requires_grad), state

    def __copy__(self) -> Tensor:
        """Share the values, as `detach` does; a gradient belongs to one tensor."""
        rebuild, arguments, (attributes, _) = self.__reduce__()
        result = rebuild(*arguments)
        result._changed = self._changed
        if attributes:
            vars(result).update(attributes)
        return result

    if TYPE_CHECKING:  # fastdl/functional/operators.py puts these into the class

        def _operation(self, *args: Any, **options: Any) -> Tensor: ...
        def _comparison(self, other: TensorLike) -> np.ndarray: ...
        def _places(self, *args: Any, **options: Any) -> np.ndarray: ...
        def _parts(self, *args: Any, **options: Any) -> tuple[Tensor, ...]: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _operation
        __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _operation
        __matmul__ = __rmatmul__ = __neg__ = __abs__ = __getitem__ = _operation
        exp = log = sqrt = abs = astype = clamp = _operation
        sum = mean = max = min = prod = var = std = norm = logsumexp = _operation
        cumsum = reshape = view = flatten = squeeze = unsqueeze = _operation
        expand_dims = transpose = flip = take_along_axis = _operation
        argmax = argmin = _places
        split = _parts
        __lt__ = __le__ = __gt__ = __ge__ = _comparison
        __eq__ = __ne__ = _comparison  # type: ignore[assignment]
        __hash__ = object.__hash__
        T: Tensor


def _rebuilt(cls: type[Tensor], data: np.ndarray, requires_grad: bool) -> Tensor:
    """Make a tensor of a class whose constructor may take other arguments."""
    result = _new(cls)
    Tensor.__init__(result, data, requires_grad)
    return result


tensor = Tensor


def from_dlpack(x: Shareable) -> Tensor:
    """Return a tensor in the memory of another library's array: PyTorch's, JAX's, ...

    It needs no gradient, and sees what is written there later. Any strides do.

    Parameters
    ----------
    x : array with ``__dlpack__``
        Of float32 or float64, in the memory of the CPU. A read-only one stays so;
        NumPy before 2.1 takes every one for read-only.

    Raises
    ------
    ArgumentError
        `x` is no such array.
    SharingError
        Its library does not share it: it needs a gradient there, or lies on a GPU.
    DtypeError
        It has another type, which would need a copy.
    """
    return x.detach() if isinstance(x, Tensor) else Tensor(dlpack.shared(x))
