r"""Gradient checking: backpropagation against difference quotients of the cost.

A derivative is compared with a difference quotient. The two-sided one is far better
than the one-sided, with an error of order eps^2 instead of eps:

.. math::
    \frac{\partial J}{\partial \theta_i} \approx
    \frac{J(\theta + \epsilon e_i) - J(\theta - \epsilon e_i)}{2 \epsilon}, \qquad
    \text{ratio} = \frac{\|d_{approx} - d\|_2}{\|d_{approx}\|_2 + \|d\|_2}

A ratio of 1e-7 is great, 1e-5 deserves a look, and 1e-3 is wrong.

Source: Deep Learning Specialization, course 2, week 1, "Gradient checking".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np

from fastdl import data, nn
from fastdl.autograd import Tensor, no_grad
from fastdl.data.dataset import take_real
from fastdl.errors import ArgumentError, NonFiniteError
from fastdl.nn.dropout import DropLayer
from fastdl.nn.module import check_module, run
from fastdl.optim.optimizer import is_positive
from fastdl.shapes import check_shape, integer
from fastdl.structure import entries, example_shapes, named_leaves, tree_map
from fastdl.train.cost import Cost, Penalties
from fastdl.train.losses import LossLike
from fastdl.train.targets import as_targets
from fastdl.typing import ArrayLike, ArraysLike

GREAT, WRONG = 1e-7, 1e-3
_UNITS = 32  # units in the last place by which two computations of a cost may differ


def numeric_gradient(
    f: Callable[[np.ndarray], SupportsFloat],
    x: ArrayLike,
    eps: float = 1e-5,
    two_sided: bool = True,
) -> np.ndarray:
    """Approximate the gradient of a function by difference quotients, in float64.

    Parameters
    ----------
    f : callable
        Takes an array of the shape of x, which it must not keep; returns one number.
    x : array_like
        Where to differentiate, of any shape.
    eps : float
        The step, > 0. 1e-5 balances the curvature of f against rounding.
    two_sided : bool
        Whether to compute f on both sides of each element, with an error of order
        eps^2, or on one side and at x itself, with an error of order eps.

    Returns
    -------
    ndarray
        The shape of x.

    Raises
    ------
    ArgumentError
        eps is not a finite number > 0.
    """
    _check_eps("numeric_gradient", eps)
    x = np.array(x, np.float64)
    places = np.arange(x.size)
    above = _moved(lambda: float(f(x)), x.reshape(-1), places, eps)
    if two_sided:
        below = _moved(lambda: float(f(x)), x.reshape(-1), places, -eps)
        return ((above - below) / (2 * eps)).reshape(x.shape)
    return ((above - float(f(x))) / eps).reshape(x.shape)


def _moved(
    f: Callable[[], float], flat: np.ndarray, places: np.ndarray, step: float
) -> np.ndarray:
    """Return the values of f with one element at a time moved by a step."""
    values = np.empty(len(places))
    for row, place in enumerate(places.tolist()):
        before = flat[place]
        flat[place] = before + step
        values[row] = f()
        flat[place] = before
    return values


@dataclass(frozen=True)
class ParameterCheck:
    """The gradient of one parameter, checked.

    Attributes
    ----------
    name : str
        As ``model.named_parameters()`` has it.
    ratio : float
        The relative difference over the elements that were checked.
    index : tuple of int
        Where the analytic and the numeric gradient differ most.
    analytic, numeric : float
        Their values there.
    checked, size : int
        How many elements were compared, and how many there are.
    kinks : int
        How many were left out because the cost has a kink there (of ReLU, max pooling,
        L1) and no derivative.
    """

    name: str
    ratio: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    checked: int
    size: int
    kinks: int

    @property
    def verdict(self) -> str:
        """What the ratio means; "unknown" if nothing could be compared."""
        return verdict(self.ratio) if self.checked else "unknown"


@dataclass(frozen=True)
class GradientCheck:
    """What `gradcheck` found; ``print`` shows it as a table.

    Attributes
    ----------
    ratio : float
        The relative difference over all parameters together.
    parameters : list of ParameterCheck
        One for each parameter that is trained.
    cost : float
        The cost whose gradient was checked.
    eps : float
        The step of the differences.
    """

    ratio: float
    parameters: list[ParameterCheck]
    cost: float
    eps: float

    @property
    def worst(self) -> ParameterCheck:
        """The parameter with the largest ratio."""
        return max(self.parameters, key=lambda row: (row.checked > 0, row.ratio))

    @property
    def verdict(self) -> str:
        """The verdict of the worst parameter: "great", "look", "wrong" or "unknown".

        The overall ratio hardly shows a wrong gradient of a small bias.
        """
        return self.worst.verdict

    def __bool__(self) -> bool:
        """Whether some gradient was compared, and none is wrong."""
        return self.verdict in ("great", "look")

    def __str__(self) -> str:
        cells = [("parameter", "ratio", "", "worst element", "analytic", "numeric", "")]
        for row in self.parameters:
            checked = f"{row.checked:,} of {row.size:,}"
            cells.append(
                (
                    row.name,
                    f"{row.ratio:.1e}" if row.checked else "",
                    row.verdict,
                    str(list(row.index)),
                    f"{row.analytic: .6e}",
                    f"{row.numeric: .6e}",
                    checked + (f", {row.kinks:,} at a kink" if row.kinks else ""),
                )
            )
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, *self._conclusion()])

    def _conclusion(self) -> Iterator[str]:
        because = "" if self.verdict == "great" else f", because of '{self.worst.name}'"
        yield f"all together {self.ratio:.1e}: {self.verdict}{because}"
        unknown = [f"'{row.name}'" for row in self.parameters if not row.checked]
        if unknown:
            yield (
                f"not checked: {', '.join(unknown)}; the cost has a kink at each "
                f"element, try again after some steps of training"
            )


def relative_difference(a: ArraysLike, b: ArraysLike) -> float:
    r"""Return :math:`\|a - b\|_2 / (\|a\|_2 + \|b\|_2)`, the course's comparison.

    ::

        numeric = train.numeric_gradient(cost, x)
        train.relative_difference(numeric, gradient) < 1e-7

    Parameters
    ----------
    a, b : array_like, or tuples or dicts of them
        Of the same shapes; several arrays are taken as one long vector.

    Returns
    -------
    float
        In [0, 1]; 0 if both are 0, infinity if that is no finite number.

    Raises
    ------
    ShapeError, ArgumentError
        The shapes differ, or the names.
    """
    x, y = dict(named_leaves(a, "a")), dict(named_leaves(b, "a"))
    if x.keys() != y.keys():
        raise ArgumentError(
            f"relative_difference: expected arrays of the same names, got "
            f"{entries(a, 'a')} and {entries(b, 'b')}"
        )
    squares = np.zeros(3)
    with np.errstate(invalid="ignore", over="ignore"):
        for name in x:
            one, other = (np.asarray(each[name], np.float64) for each in (x, y))
            check_shape("relative_difference", name, other.shape, one.shape)
            squares += [np.vdot(each, each) for each in (one - other, one, other)]
        difference, *norms = np.sqrt(squares)
        total = sum(norms)
        ratio = float(difference / total) if total else 0.0
    return ratio if math.isfinite(ratio) else math.inf


def verdict(ratio: float) -> str:
    """Return "great" up to 1e-7, "wrong" from 1e-3, and "look" in between."""
    if ratio <= GREAT:
        return "great"
    return "look" if ratio < WRONG else "wrong"


def gradcheck(
    model: nn.Module,
    loss: LossLike,
    x: ArraysLike,
    y: ArraysLike,
    eps: float = 1e-5,
    sample: int | None = None,
    seed: int = 0,
    regularization: Penalties = (),
) -> GradientCheck:
    """Compare the gradients of a model with difference quotients of its cost.

    It runs on a copy of the model in float64, with the backend in use, so the model
    itself does not change. The copy is in the same mode as the model:

    - In training mode batch norm normalises by the mean and variance of the batch x,
      as training does, and their gradient is checked too. The running statistics are
      frozen: no step of the check changes those of the model. In evaluation mode they
      are used, as constants.
    - Active dropout is refused: a cost that changes from call to call has no difference
      quotient.
    - Frozen parameters are left out.

    Across a kink (ReLU at 0, two equal maxima, L1 at 0) a difference quotient means
    nothing. An element that disagrees is measured again with eps / 10 and eps / 100,
    which avoids kinks nearby. If the slopes on the two sides still differ, the kink is
    right there: the element is left out, and counted in the table. This happens to
    biases that start at exactly 0 over blank parts of pictures; a few steps of
    training, or random biases, avoid it. A gradient that is smaller than the rounding
    error of the differences counts as 0.

    Parameters
    ----------
    model : Module
        Sizes that are open are inferred from x. Each element takes two forward passes.
    loss : callable
        ``loss(outputs, y) -> Tensor``, one number.
    x, y : array_like, or tuples or dicts of them
        A batch, which may be small; several inputs are passed to the model as
        ``model(*x)`` or ``model(**x)``. Pictures of uint8 become numbers in [0, 1].
    eps : float
        The step of the differences, > 0.
    sample : int, optional
        Check at most this many elements of each parameter, drawn at random; by default
        all. For large models 20 are enough to find most mistakes.
    seed : int
        Of the sample.
    regularization : penalty or sequence of penalties
        Part of the cost, as in `fastdl.Trainer`: ``nn.L2(0.01)``.

    Returns
    -------
    GradientCheck
        The overall ratio, a verdict, and a row for each parameter.

    Raises
    ------
    ArgumentError
        Dropout is active, or the cost changes from call to call for another reason; eps
        or sample is out of range; no parameter is trained.
    NonFiniteError
        The cost is NaN or infinite.
    ShapeError
        The loss is not one number; or x does not fit the model.
    """
    check_module(model, "gradcheck")
    _check_eps("gradcheck", eps)
    if sample is not None:
        integer(sample, "gradcheck: sample")
    batch = data.ArrayDataset(x, y)
    inputs, targets, _ = take_real(batch, np.arange(len(batch)))
    assert targets is not None
    _refuse_dropout(model)
    model.build(example_shapes(inputs))
    double = copy.deepcopy(model).astype(np.float64)
    inputs = tree_map(lambda each: each.astype(np.float64), inputs)
    targets = as_targets(targets, inputs, loss)
    cost = Cost(double, loss, regularization, "gradcheck")

    @no_grad()
    def value() -> float:
        return cost(run(double, inputs), targets)[0].item()

    trained = {n: p for n, p in double.named_parameters() if p.requires_grad}
    if not trained:
        raise ArgumentError("gradcheck: no parameter of the model is trained")
    base = value()
    if not math.isfinite(base):
        raise NonFiniteError(f"gradcheck: the cost is {base}")
    if value() != base:
        raise ArgumentError(
            "gradcheck: the cost is another one when it is computed again; take random "
            "numbers out of the model and the loss"
        )
    double.zero_grad()
    cost(run(double, inputs), targets)[0].backward()

    rng = np.random.default_rng(seed)
    rows, pairs = [], []
    for name, parameter in trained.items():
        row, pair = _check(name, parameter, value, base, eps, sample, rng)
        rows.append(row)
        pairs.append(pair)
    numeric, analytic = np.concatenate(pairs, axis=1)
    return GradientCheck(relative_difference(numeric, analytic), rows, base, eps)


def _check(
    name: str,
    parameter: Tensor,
    value: Callable[[], float],
    base: float,
    eps: float,
    sample: int | None,
    rng: np.random.Generator,
) -> tuple[ParameterCheck, np.ndarray]:
    """Return the row of a parameter, and (numeric, analytic) without its kinks."""
    size = parameter.size
    places = np.arange(size)
    if sample is not None and sample < size:
        places = np.sort(rng.choice(size, sample, replace=False))
    grad = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad
    analytic = grad.reshape(-1)[places]
    parameter.data = np.ascontiguousarray(parameter.data)  # so that flat is a view
    flat = parameter.data.reshape(-1)
    numeric, kinked = _measure(value, flat, places, analytic, base, eps)

    pair = np.stack([numeric, analytic])[:, ~kinked]
    worst = int(np.where(kinked, -1, np.abs(numeric - analytic)).argmax())
    row = ParameterCheck(
        name,
        relative_difference(*pair),
        tuple(map(int, np.unravel_index(places[worst], parameter.shape))),
        float(analytic[worst]),
        float(numeric[worst]),
        pair.shape[1],
        size,
        int(kinked.sum()),
    )
    return row, pair


def _measure(
    value: Callable[[], float],
    flat: np.ndarray,
    places: np.ndarray,
    analytic: np.ndarray,
    base: float,
    eps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numeric gradient at some places, and which of them are kinks.

    Where both gradients are smaller than rounding errors they are set to 0.
    """
    rounding = _UNITS * np.finfo(np.float64).eps * max(1.0, abs(base)) / eps
    numeric = np.zeros(len(places))
    jump = np.full(len(places), np.inf)  # between the slopes on the two sides
    rows = np.arange(len(places))  # that still disagree
    for step in (eps, eps / 10, eps / 100):
        right = (_moved(value, flat, places[rows], step) - base) / step
        left = (base - _moved(value, flat, places[rows], -step)) / step
        numeric[rows] = (left + right) / 2
        before, jump[rows] = jump.copy(), np.abs(right - left)
        gap = np.abs(numeric - analytic)
        small = np.maximum(np.abs(numeric), np.abs(analytic)) <= rounding
        tolerated = GREAT * (np.linalg.norm(numeric) + np.linalg.norm(analytic))
        rows = rows[(gap > tolerated)[rows] & ~small[rows]]
    kinked = np.zeros(len(places), bool)
    # If the cost is smooth the jump shrinks with the step, so no mistake is hidden.
    kinked[rows] = (gap <= jump)[rows] & (jump > before / 2)[rows]
    numeric[small] = analytic[small] = 0
    return numeric, kinked


def _check_eps(operation: str, eps: float) -> None:
    if not is_positive(eps):
        raise ArgumentError(f"{operation}: eps must be a number > 0, got {eps!r}")


def _refuse_dropout(model: nn.Module) -> None:
    for name, module in model.named_modules():
        drops = isinstance(module, DropLayer) and module.p > 0
        if drops and module._is_training:
            raise ArgumentError(
                f"gradcheck: layer '{name}' ({type(module).__name__}) drops at random, "
                f"so the cost is another one at each call; set its p to 0 for the "
                f"check, or call model.eval()"
            )
