"""Gradient descent on any function of one array."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, GraphError, NonFiniteError, ShapeError
from fastdl.optim.optimizer import is_in, is_positive
from fastdl.shapes import integer
from fastdl.typing import ArrayLike


class Descent(NamedTuple):
    """Where `gradient_descent` ended.

    Attributes
    ----------
    x : ndarray
        The last point, of the shape of x0.
    value : float
        f at x, over all data.
    gradient_norm : float
        The norm of the gradient at x, over all data.
    steps : int
        How many steps were taken.
    converged : bool
        Whether the norm of the gradient fell below tol.
    """

    x: np.ndarray
    value: float
    gradient_norm: float
    steps: int
    converged: bool


def gradient_descent(
    f: Callable[..., Tensor],
    x0: ArrayLike,
    lr: float = 0.1,
    max_iter: int = 1000,
    tol: float = 1e-6,
    data: Sequence[ArrayLike] | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Descent:
    r"""Minimise a function by steps along the negative gradient, without line search.

    .. math::
        x \leftarrow x - \alpha \nabla f(x) \quad
        \text{until } \|\nabla f(x)\|_2 < tol \text{ or after } max\_iter \text{ steps}

    With `data`, f is a mean over examples, and each step uses the gradient over a
    mini-batch: of all m examples (batch gradient descent, the default), of one
    (stochastic), or of any number in between. Each pass through the data has a new
    order, and begins with the test against `tol`, by the gradient over all examples.
    With a constant rate the steps end near a minimum, not in it, so choose `tol` with
    care. (Deep Learning Specialization, course 1, week 2, and
    course 2, week 2.)

    Parameters
    ----------
    f : callable
        ``f(x)``, or ``f(x, *batch)`` with data; gets a tensor, returns a single number.
    x0 : array_like
        Where to start, of any shape. Lists and integers become float64.
    lr : float
        The learning rate alpha, > 0.
    max_iter : int
        The largest number of steps, from 1.
    tol : float
        >= 0; with 0 all steps are taken.
    data : sequence of array_like, optional
        Arrays of equal length, the examples along the first axis: ``(inputs, y)``.
    batch_size : int, optional
        Examples in a step (the last of a pass may have fewer); by default all.
    seed : int
        For the order of the examples.

    Returns
    -------
    Descent

    Raises
    ------
    NonFiniteError
        The value or the gradient became NaN or infinite.
    ArgumentError, ShapeError
        An argument is out of range; the data are empty or of unequal lengths.
    GraphError
        The result of f does not depend on x through tensors, or is not one number.
    """
    if not is_positive(lr):
        raise ArgumentError(f"gradient_descent: lr must be a number > 0, got {lr!r}")
    if not is_in(tol, math.inf):
        raise ArgumentError(f"gradient_descent: tol must be a number >= 0, got {tol!r}")
    integer(max_iter, "gradient_descent: max_iter")
    examples = _examples(data, batch_size)
    rng = np.random.default_rng(seed)
    is_float32 = getattr(x0, "dtype", None) == np.float32
    x = Tensor(np.array(x0, np.float32 if is_float32 else np.float64), True)

    def look(batch: list[np.ndarray]) -> tuple[float, np.ndarray, float]:
        """Return the value, the gradient and its norm at x."""
        x.grad = None
        value = f(x, *batch)
        if not isinstance(value, Tensor):
            raise GraphError(
                f"gradient_descent: f must return a tensor computed from x, got "
                f"{type(value).__name__}"
            )
        value.backward()
        if x.grad is None:
            raise GraphError("gradient_descent: the result of f does not depend on x")
        norm = float(np.linalg.norm(x.grad))
        if not math.isfinite(value.item()) or not math.isfinite(norm):
            raise NonFiniteError(
                f"gradient_descent: the value is {value.item()} and the length of the "
                f"gradient {norm} after {steps} steps; lower lr"
            )
        return value.item(), x.grad, norm

    steps = 0
    while True:
        value, gradient, norm = look(examples)
        if norm < tol or steps == max_iter:
            return Descent(x.data, value, norm, steps, norm < tol)
        if batch_size is None:
            x.data -= lr * gradient
            steps += 1
            continue
        for batch in _batches(examples, batch_size, rng):
            _, gradient, _ = look(batch)
            x.data -= lr * gradient
            steps += 1
            if steps == max_iter:
                break


def _examples(
    data: Sequence[ArrayLike] | None, batch_size: int | None
) -> list[np.ndarray]:
    if data is None:
        if batch_size is not None:
            raise ArgumentError("gradient_descent: batch_size is about data; give both")
        return []
    arrays = [np.asarray(array) for array in data]
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) != 1 or 0 in lengths:
        raise ShapeError(
            f"gradient_descent: data must be arrays with as many examples each, at "
            f"least one; got shapes {[array.shape for array in arrays]}"
        )
    if batch_size is not None:
        integer(batch_size, "gradient_descent: batch_size")
    return arrays


def _batches(
    examples: list[np.ndarray], size: int, rng: np.random.Generator
) -> Iterator[list[np.ndarray]]:
    """Yield one pass through the examples in a new order."""
    order = rng.permutation(len(examples[0]))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield [array[chosen] for array in examples]
