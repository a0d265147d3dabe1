"""Tensors: arrays that remember how they were computed.

`record` wraps the result of an operation; `fastdl.tape` is what it leaves behind, and
`fastdl.recording` says what a thread records at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl import dlpack
from fastdl.dlpack import Shareable
from fastdl.errors import DtypeError, GraphError, SharingError
from fastdl.exports import TensorWords
from fastdl.hooks import GradientHook, GradientHooks, HookHandle
from fastdl.recording import is_recording as is_recording
from fastdl.recording import no_grad as no_grad
from fastdl.recording import state
from fastdl.recording import tracing as tracing
from fastdl.shapes import array as numbers
from fastdl.shapes import check_shape, real_dtype
from fastdl.tape import Backward as Backward
from fastdl.tape import Leaf as Leaf
from fastdl.tape import Node as Node
from fastdl.tape import run_backward, tick, watched
from fastdl.tape import tick_of_change as tick_of_change
from fastdl.typing import ArrayLike, DtypeLike, TensorLike

if TYPE_CHECKING:
    from typing_extensions import CapsuleType

_new = object.__new__
_NATIVE = (np.dtype(np.float32), np.dtype(np.float64))


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
        node.tick = tick()
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
    node.saved, node.result, node.changed, node.tick = (), None, [0], tick()
    trace = state.trace
    assert trace is not None
    trace[node] = data.shape, data.dtype
    return node


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


def mark_changed(tensors: Iterable[Tensor]) -> None:
    """Tell the tape that the values of all these tensors were changed in place."""
    now = tick_of_change()
    for tensor in tensors:
        tensor._changed[0] = now


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


class Tensor(TensorWords):
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
            run_backward(node, gradient, retain_graph)

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
            return watched(node, "register_hook").hooks.add(hook)
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
            watched(node, "retain_grad").retained = Leaf(self)

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
