"""Initial weights: each function returns a new array of a given shape and type.

The variance of a weight is ``gain**2 / fan``, so that the activations of a deep network
neither explode nor vanish. With the default gain, sqrt(2) for ``he`` and 1 for others:

=================  ======================  ========================  ===================
name               variance                made for                  source
=================  ======================  ========================  ===================
he                 2 / fan_in              ReLU and its relatives    He et al. 2015
he_normal_fan_out  2 / fan_out             ReLU after a batch norm   He et al. 2015
xavier, lecun      1 / fan_in              tanh                      LeCun et al. 1998
glorot             2 / (fan_in + fan_out)  sigmoid, softmax, logits  Glorot, Bengio 2010
orthogonal         1 / max(fan_in, out)    deep linear, recurrent    Saxe et al. 2014
=================  ======================  ========================  ===================

``xavier`` is the word of the Deep Learning Specialization for 1 / fan_in, which the
field also calls lecun. PyTorch's ``xavier_normal_`` is called ``glorot_normal`` here.

`fastdl.nn.Linear` and the convolutions take as ``weight_init=`` the name of a function
of this module; any function of the shape of the weight, which returns an array; or the
array itself. ::

    nn.Linear(3, 5, weight_init=partial(init.glorot_normal, gain=1.5))
    nn.Linear(3, 5, weight_init=lambda shape: 0.01 * rng.standard_normal(shape))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np

from fastdl import backend, exports, random, shapes
from fastdl.autograd import Tensor
from fastdl.data.dataset import most_memory
from fastdl.errors import ArgumentError, DtypeError, ShapeError, suggest
from fastdl.shapes import activation_parameter, activation_row, real_dtype
from fastdl.typing import DtypeLike, Shape, TensorLike

WeightInit: TypeAlias = str | TensorLike | Callable[[Shape], TensorLike]
"""How a layer makes its weight: the name of a function of this module, a function of
the shape of the weight, or an array of that shape."""

# How many numbers may still be made, and what has no more.
_left: ContextVar[tuple[float, str] | None] = ContextVar("weights_left", default=None)


@contextmanager
def at_most(elements: float, of: str = "the file") -> Iterator[None]:
    """Refuse to make more than so many numbers within the block.

    Around the construction of a model whose description is not trusted; `of` says in
    the message what has no more.

    Raises
    ------
    ShapeError
        In the block, before memory is taken.
    """
    token = _left.set((elements, of))
    try:
        yield
    finally:
        _left.reset(token)


def within_memory() -> AbstractContextManager[None]:
    """Refuse to make more weights, in float32, than half of the memory holds."""
    return at_most(most_memory() / 4, "half of the memory of this machine")


def _empty(shape: Sequence[int], dtype: DtypeLike = np.float32) -> np.ndarray:
    dtype = real_dtype(dtype, "init")
    left, size = _left.get(), math.prod(shape)
    if left is not None:
        elements, of = left
        if size > elements:
            raise ShapeError(
                f"weights of shape {tuple(shape)} are more than {of} holds"
            )
        _left.set((elements - size, of))
    return backend.empty(tuple(shape), dtype)


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Count the inputs and outputs of one unit from the shape of its weight.

    Parameters
    ----------
    shape : sequence of int
        (in, out) of a dense layer or (kh, kw, in / groups, out) of a convolution.

    Returns
    -------
    tuple of int
        (fan_in, fan_out); the kernel's area multiplies both.

    Raises
    ------
    ShapeError
        A weight has at least 2 axes; a bias has no fans.
    """
    if len(shape) < 2:
        raise ShapeError(
            f"init: a weight has 2 axes (in, out) or 4 (kh, kw, in, out); got shape "
            f"{tuple(shape)}; use init.zeros or init.constant for a bias"
        )
    area = math.prod(shape[:-2])
    return area * shape[-2], area * shape[-1]


def normal(
    shape: Sequence[int],
    std: float = 1.0,
    mean: float = 0.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw from the normal distribution with a mean and a standard deviation.

    Without `rng` the numbers come from the library's own seed, see
    `fastdl.manual_seed`; `dtype` is float32 or float64. This holds for all functions of
    this module.
    """
    weight = _empty(shape, dtype)
    (rng or random.generator()).standard_normal(out=weight, dtype=weight.dtype.type)
    weight *= std
    weight += mean
    return weight


def uniform(
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw evenly from the interval [low, high)."""
    weight = _empty(shape, dtype)
    (rng or random.generator()).random(out=weight, dtype=weight.dtype.type)
    weight *= high - low
    weight += low
    return weight


def _uniform_with_std(shape, std, rng, dtype):
    bound = math.sqrt(3) * std  # the variance of U(-b, b) is b^2 / 3
    return uniform(shape, -bound, bound, rng, dtype)


def _fan_in_std(shape, gain):
    return gain / math.sqrt(fans(shape)[0])


def _glorot_std(shape, gain):
    return gain * math.sqrt(2 / sum(fans(shape)))


def he_normal(
    shape: Sequence[int],
    gain: float = math.sqrt(2),
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 / fan_in``.

    The default gain, for ReLU, gives 2 / fan_in: half of the activations are zero, so
    the weights carry twice the variance. It is the default of every layer.
    """
    return normal(shape, _fan_in_std(shape, gain), rng=rng, dtype=dtype)


def he_uniform(
    shape: Sequence[int],
    gain: float = math.sqrt(2),
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 / fan_in``; see `he_normal`."""
    return _uniform_with_std(shape, _fan_in_std(shape, gain), rng, dtype)


def he_normal_fan_out(
    shape: Sequence[int],
    gain: float = math.sqrt(2),
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 / fan_out``.

    `he_normal` for the gradients, whose size it keeps from layer to layer, instead of
    the activations: for convolutions before a batch norm, which sets the size of the
    activations. torchvision's networks start so.
    """
    return normal(shape, gain / math.sqrt(fans(shape)[1]), rng=rng, dtype=dtype)


def xavier_normal(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 / fan_in``, for tanh."""
    return he_normal(shape, gain, rng, dtype)


def xavier_uniform(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 / fan_in``, for tanh."""
    return he_uniform(shape, gain, rng, dtype)


def lecun_normal(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw as `xavier_normal`, of which it is the other name."""
    return xavier_normal(shape, gain, rng, dtype)


def lecun_uniform(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw as `xavier_uniform`, of which it is the other name."""
    return xavier_uniform(shape, gain, rng, dtype)


def glorot_normal(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw from a normal distribution of variance ``gain**2 * 2 / (fan_in + fan_out)``.

    The compromise keeps both the activations and their gradients from growing.
    """
    return normal(shape, _glorot_std(shape, gain), rng=rng, dtype=dtype)


def glorot_uniform(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw evenly with variance ``gain**2 * 2 / (fan_in + fan_out)``."""
    return _uniform_with_std(shape, _glorot_std(shape, gain), rng, dtype)


def orthogonal(
    shape: Sequence[int],
    gain: float = 1.0,
    rng: np.random.Generator | None = None,
    dtype: DtypeLike = np.float32,
) -> np.ndarray:
    """Draw a random rotation: a linear layer keeps all lengths, times `gain`.

    The weight, seen as a matrix (fan_in, out), has orthonormal columns, or orthonormal
    rows when it has more columns (Saxe et al. 2014, "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks").
    """
    fan_in, _ = fans(shape)
    columns = shape[-1]
    tall = (max(fan_in, columns), min(fan_in, columns))
    weight = _empty(shape, dtype)
    q, r = np.linalg.qr((rng or random.generator()).standard_normal(tall))
    q *= np.where(np.diagonal(r) < 0, -gain, gain)  # makes every rotation as likely
    weight[...] = (q if fan_in >= columns else q.T).reshape(shape)
    return weight


def zeros(shape: Sequence[int], dtype: DtypeLike = np.float32) -> np.ndarray:
    """Return zeros: right for a bias, fatal for a weight (all units stay alike)."""
    return constant(shape, 0.0, dtype)


def constant(
    shape: Sequence[int], value: float, dtype: DtypeLike = np.float32
) -> np.ndarray:
    """Return an array filled with one value."""
    weight = _empty(shape, dtype)
    weight.fill(value)
    return weight


# By the activation that follows ------------------------------------------------------

_METHODS: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (
        he_normal,
        he_uniform,
        he_normal_fan_out,
        xavier_normal,
        xavier_uniform,
        lecun_normal,
        lecun_uniform,
        glorot_normal,
        glorot_uniform,
        orthogonal,
        zeros,
    )
}


exports.hint(__name__)


def method(name: str) -> Callable[..., np.ndarray]:
    """Return the function of this module that a layer's ``weight_init=`` names.

    Raises
    ------
    ArgumentError
        There is no such function, or it needs more than a shape.
    """
    if not isinstance(name, str) or name not in _METHODS:
        hint = suggest(name, _METHODS, "nn.init")
        raise ArgumentError(f"init: no method {name!r:.60}{hint}")
    return _METHODS[name]


def checked(weight_init: WeightInit, layer: str) -> WeightInit:
    """Return how a layer makes its weight; a function of this module by its name.

    Raises
    ------
    ArgumentError
        It is neither the name of a function, nor a function, nor an array.
    """
    if callable(weight_init):
        name = getattr(weight_init, "__name__", "")
        return name if _METHODS.get(name) is weight_init else weight_init
    if isinstance(weight_init, (np.ndarray, Tensor, list, tuple)):
        return weight_init
    try:
        method(weight_init)  # type: ignore[arg-type]  # says so
    except ArgumentError as error:
        error.args = (f"{layer}: {error}; or give a function of the shape or an array",)
        raise
    return weight_init


def weight(
    weight_init: WeightInit, shape: Shape, dtype: DtypeLike, layer: str
) -> np.ndarray:
    """Return a new weight, as what `checked` returned makes it.

    Raises
    ------
    ShapeError, DtypeError
        A function returned, or the array is, something else; the message names the
        layer.
    """
    if isinstance(weight_init, str):
        return method(weight_init)(shape, dtype=dtype)
    given: Any = weight_init
    if callable(weight_init):
        try:
            given = weight_init(shape)
        except TypeError as error:  # as np.random.randn raises
            raise ArgumentError(
                f"{layer}: weight_init got the shape {shape} as its only argument, and "
                f"raised: {error}; for a function of sizes: lambda shape: f(*shape)"
            ) from error
    array = shapes.array(given, f"{layer}: weight_init")
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{layer}: weight_init must give numbers, got {array.dtype}")
    if array.shape != shape:
        hint = "; give its transpose (.T)" if array.shape == shape[::-1] else ""
        raise ShapeError(
            f"{layer}: expected weight_init of shape {shape}, got {array.shape}{hint}"
        )
    result = _empty(shape, dtype)
    result[...] = array
    return result


def gain(activation: str | None, parameter: float | None = None) -> float:
    """Return how much larger weights should be before an activation.

    sqrt(2) before ReLU and its relatives, because half of their outputs are (nearly)
    zero; sqrt(2 / (1 + slope^2)) before leaky ReLU; 1 elsewhere. Before tanh this is
    the variance 1 / fan_in of the Deep Learning Specialization; PyTorch recommends 5/3.

    Parameters
    ----------
    activation : str or None
        One of ``fastdl.shapes.ACTIVATIONS``; None for none.
    parameter : float, optional
        Of the activations that have one, such as the slope of "leaky_relu".

    Raises
    ------
    ArgumentError
        The activation is unknown, or the parameter is out of range.
    """
    if activation is None:
        return 1.0
    gain = activation_row(activation, "gain").gain
    parameter = activation_parameter(activation, parameter, "gain")
    return gain(parameter) if callable(gain) else gain


def for_activation(activation: str | None) -> str:
    """Return the name of the usual method before an activation, see `gain`.

    "he_normal" before ReLU and its relatives, "xavier_normal" before tanh,
    "glorot_normal" before sigmoid, softmax or nothing.
    """
    if gain(activation) > 1:
        return "he_normal"
    return "xavier_normal" if activation == "tanh" else "glorot_normal"
