"""The calls by which `bench.accuracy` measures how exact each kernel is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from fastdl import reference
from fastdl.shapes import ACTIVATIONS


class Sizes(NamedTuple):
    """How large the arrays are."""

    rows: int
    """Of a batch."""

    side: int
    """Of a picture."""

    classes: int
    places: int
    """Terms of a product."""

    points: int
    """Of a sweep over all numbers of a type, about."""


SHORT = Sizes(rows=6_000, side=64, classes=2_000, places=2**12, points=2**13)
LONG = Sizes(rows=50_000, side=256, classes=20_000, places=2**15, points=2**16)

KINDS: dict[str, Callable[[np.random.Generator, tuple], np.ndarray]] = {
    "positive": lambda rng, shape: rng.uniform(1, 2, shape),
    "equal": lambda rng, shape: np.full(shape, 0.1),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "large": lambda rng, shape: 2.0**30 * rng.standard_normal(shape),
    "small": lambda rng, shape: 2.0**-30 * rng.standard_normal(shape),
    "wide": lambda rng, shape: (
        rng.standard_normal(shape) * 2.0 ** rng.integers(-15, 16, shape)
    ),
}


ELEMENTS = ("normal", "small")  # and a sweep


class Make:
    """Makes the same arrays of one kind for each type that computes with them.

    ``a(*shape)`` is an array. Where the magnitudes of terms are wanted, all are
    positive. A kind that is a number is a block of 2^22 neighbours, for `sweep`.
    """

    def __init__(
        self,
        kind: str | int,
        stored: str,
        sizes: Sizes,
        dtype: Any = None,
        magnitudes: bool = False,
    ) -> None:
        self.sizes = sizes
        self.stored = np.dtype(stored)
        self.dtype = np.dtype(dtype or stored)
        self._block = kind if isinstance(kind, int) else None
        self._draw = KINDS[kind if isinstance(kind, str) else "normal"]
        self._rng = np.random.default_rng(0)
        self._magnitudes = magnitudes

    def __call__(self, *shape: int) -> np.ndarray:
        """Return an array of a shape."""
        return self._given(self._draw(self._rng, shape))

    def sweep(self) -> np.ndarray:
        """Return numbers of all exponents, or all numbers of a block; of both signs."""
        integers = np.dtype(f"u{self.stored.itemsize}")
        if self._block is not None:
            every = np.arange(2**22, dtype=integers) + integers.type(self._block << 22)
            every = every.view(self.stored)
            return self._given(np.concatenate([every, -every]))
        some = self._draw(self._rng, (1000,)).astype(self.stored)
        last = np.iinfo(integers).max
        every = np.arange(0, last, last // self.sizes.points | 1, integers)
        every = every.view(self.stored)
        return self._given(np.concatenate([some, every[np.isfinite(every)]]))

    @property
    def rate(self) -> float:
        """A learning rate, of the sign with which magnitudes add up."""
        return -0.125 if self._magnitudes else 0.125

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """Return what the type can hold; numbers below the normal ones are zero."""
        with np.errstate(over="ignore", under="ignore"):
            stored = values.astype(self.stored)
        stored[np.abs(stored) < np.finfo(stored.dtype).smallest_normal] = 0
        return stored.astype(self.dtype)

    def _given(self, values: np.ndarray) -> np.ndarray:
        values = self.rounded(values)
        return np.abs(values) if self._magnitudes else values


Call = Callable[[Callable, Make], Any]
Scale = Callable[[Callable, Call, Callable, tuple], tuple]


class Case(NamedTuple):
    """How a kernel is called, and what its error is compared with."""

    scale: Scale
    calls: tuple[Call, ...]
    kinds: tuple[str, ...]


def case(scale: Scale, *calls: Call, without: Iterable[str] = ()) -> Case:
    """Return a case of all kinds of numbers but some."""
    return Case(scale, calls, tuple(kind for kind in KINDS if kind not in without))


# What errors are compared with: functions of the exact kernel, of the call, of
# make(magnitudes), and of the results.


def as_tuple(results: Any) -> tuple:
    """Return one or several results as a tuple."""
    return results if isinstance(results, tuple) else (results,)


def result(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the results themselves."""
    return wanted


def terms(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the sums of the magnitudes of all terms."""
    return as_tuple(call(exact, make(True)))


def largest(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the largest magnitude in each result."""
    return tuple(np.full_like(array, np.abs(array).max()) for array in wanted)


def largest_terms(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the largest sum of the magnitudes of terms in each result."""
    return largest(exact, call, make, terms(exact, call, make, wanted))


def by(function: Callable[[Make], Any]) -> Scale:
    """Return what a formula says of the numbers that go in."""
    return lambda exact, call, make, wanted: as_tuple(function(make(False)))


# What is exact ------------------------------------------------------------------------


def exact_type(dtype: Any) -> np.dtype:
    """Return the type that is exact for another one."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


PI = np.longdouble("3.14159265358979323846264338327950288")


def normal_density(x: np.ndarray) -> np.ndarray:
    """Return the density of the standard normal."""
    return np.exp(-x * x / 2) / np.sqrt(2 * PI).astype(x.dtype)


def normal_tail(x: np.ndarray) -> np.ndarray:
    """Return the probability of more than x >= 0, as exact as its type.

    By 1/2 - phi (x + x^3 / 3 + x^5 / 15 + ...), and from 2.5 on, where that cancels, by
    Laplace's fraction phi / (x + 1 / (x + 2 / (x + ...))).
    """
    near, far = np.minimum(x, 2.5), np.maximum(x, 2.5)
    term = total = near
    for k in range(1, 50):
        term = term * near * near / (2 * k + 1)
        total = total + term
    fraction = far
    for k in range(100, 0, -1):
        fraction = far + k / fraction
    inside = 0.5 - normal_density(near) * total
    return np.where(x < 2.5, inside, normal_density(far) / fraction)


def normal_distribution(x: np.ndarray) -> np.ndarray:
    """Return the probability of less than x; NumPy has no erf in long double."""
    tail = normal_tail(np.minimum(np.abs(x), 120))
    return np.where(x < 0, tail, 1 - tail)


def activation_forward(x: np.ndarray, kind: str) -> np.ndarray:
    """Compute GELU exactly in any type, else as the reference does."""
    if kind == "gelu":
        return np.maximum(x, -120) * normal_distribution(x)
    return reference.activation_forward(x, kind)


def activation_backward(
    dy: np.ndarray, x: np.ndarray, y: np.ndarray, kind: str
) -> np.ndarray:
    """Compute the gradient of GELU exactly in any type, else as the reference does."""
    if kind == "gelu":
        z = np.clip(x, -120, 120)
        return dy * (normal_distribution(z) + z * normal_density(z))
    return reference.activation_backward(dy, x, y, kind)


EXACT = {
    "activation_forward": activation_forward,
    "activation_backward": activation_backward,
}

# The cases ----------------------------------------------------------------------------


def in_place(function: Callable, *arrays: np.ndarray, **options: Any) -> tuple:
    """Call a step; return what it changes: all but the gradient."""
    function(*arrays, **options)
    return (arrays[0], *arrays[2:])


def normed(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the scales of y, of the mean and of 1 / std."""
    return (
        largest(exact, call, make, wanted)[0],
        terms(exact, call, make, wanted)[1],
        wanted[2],
    )


def norm_gradients(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
    """Return the scales of dx and of the sums dgamma and dbeta."""
    first = largest(exact, call, make, wanted)[0]
    return (first, *terms(exact, call, make, wanted)[1:])


def log_sum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of each row, and the logarithm of the sum of powers."""
    top = x.max(-1, keepdims=True)
    return top, np.log(np.exp(x - top).sum(-1, keepdims=True))


def softmax_scale(x: np.ndarray) -> np.ndarray:
    """Return what probabilities are worth: the distance to the maximum is rounded."""
    top, total = log_sum(x)
    return np.exp(x - top - total) * (1 + top - x)


def log_softmax_scale(x: np.ndarray) -> np.ndarray:
    """Return the sum of magnitudes in x - maximum - logarithm."""
    top, total = log_sum(x)
    return np.abs(x) + np.abs(top) + total


def cross_entropy_scale(
    x: np.ndarray, rows: np.ndarray, scale: float | None = None
) -> tuple:
    """Return the scales of the losses, or of their sum, and of the probabilities."""
    losses = (rows * log_softmax_scale(x)).sum(-1)
    return (losses if scale is None else scale * losses.sum()), softmax_scale(x)


def logistic(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x))."""
    return reference.activation_forward(x, "sigmoid")


def sigmoid_loss_scale(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the sum of magnitudes in max(x, 0) - x t + log(1 + exp(-|x|))."""
    return np.maximum(x, 0) + np.abs(x * t) + np.log1p(np.exp(-np.abs(x)))


def activated(a: Make, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dy, x and y = g(x), rounded."""
    x = a.sweep()
    y = activation_forward(x.astype(exact_type(a.stored)), kind)
    return a(x.size), x, a.rounded(y)


def gradient_scale(kind: str) -> Scale:
    """Return the magnitudes of the terms of dy g'."""

    def scale(exact: Callable, call: Call, make: Callable, wanted: tuple) -> tuple:
        dy, x, y = (np.abs(each) for each in activated(make(False), kind))
        if kind == "tanh":
            return (dy * (1 + y * y),)
        if kind == "hard_swish":
            return (np.where(wanted[0] == 0, 0, dy * np.minimum(x / 3 + 0.5, 1)),)
        if kind not in ("silu", "gelu"):
            return wanted
        _, x, _ = activated(make(False), kind)
        z = np.clip(x, -12_000, 12_000)
        if kind == "silu":
            return (dy * logistic(x) * (1 + np.abs(z) * logistic(-x)),)
        return (dy * (normal_distribution(x) + np.abs(z) * normal_density(z)),)

    return scale


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return rows with a one at each label."""
    return (labels[:, np.newaxis] == np.arange(classes)).astype(np.float64)


TURN = [[[0.8, 0.6, 3.0], [-0.6, 0.8, 100.0]]]
POWERS = (3, 0.5, -1.5, 5, 6, 0.3125)
ALIKE = ("equal",)  # where nothing but rounding would be left


def labels(a: Make) -> np.ndarray:
    """Return two labels."""
    return np.array([3, a.sizes.classes - 1])


def logits(a: Make) -> np.ndarray:
    """Return two long rows."""
    return a(2, a.sizes.classes)


def label_rows(a: Make) -> np.ndarray:
    """Return two rows of weights of classes."""
    return np.abs(logits(a)) / a.sizes.classes


def share(a: Make, size: int) -> np.ndarray:
    """Return probabilities."""
    return np.minimum(np.abs(a(size)), 1)


def image(a: Make, channels: int = 2, part: int = 1, side: int = 0) -> np.ndarray:
    """Return a picture; `part` divides its sides."""
    side = side or a.sizes.side // part
    return a(1, side, side, channels)


def deep(a: Make) -> np.ndarray:
    """Return a small picture of many channels."""
    return a(1, 16, 16, a.sizes.places // 218)  # 600 at most


def filters(a: Make, channels: int, count: int, side: int = 3) -> np.ndarray:
    """Return square filters."""
    return a(side, side, channels, count)


def many(a: Make) -> int:
    """Return the channels of `deep`."""
    return a.sizes.places // 218


def of_conv2d(algorithm: str, scale: Scale) -> dict[str, Case]:
    """Return the cases of 3 x 3 convolutions by one algorithm."""
    options: dict[str, Any] = {"algorithm": algorithm}
    forward: list[Call] = [
        lambda f, a: f(deep(a), filters(a, many(a), 9), a(9), **options),
    ]
    to_input: list[Call] = [
        lambda f, a: f(deep(a), filters(a, 9, many(a)), (1, 18, 18, 9), **options),
    ]
    to_weight: list[Call] = [
        lambda f, a: f(image(a, 3, 2), image(a, 3, 2), 3, padding=1, **options),
    ]
    if algorithm == "direct":
        forward += [
            lambda f, a: f(deep(a), filters(a, many(a), 9), a(9), stride=2),
            lambda f, a: f(image(a), filters(a, 1, 2, 31), stride=31, groups=2),
        ]
        to_input += [
            lambda f, a: f(deep(a), filters(a, 9, many(a)), (1, 33, 33, 9), stride=2),
            lambda f, a: f(deep(a), filters(a, 3, many(a)), (1, 18, 18, 3)),
            lambda f, a: f(
                image(a, side=20), filters(a, 1, 2, 31), (1, 50, 50, 2), groups=2
            ),
        ]
        to_weight += [
            lambda f, a: f(image(a, 3, 2), image(a, 3, 2), 1),
            lambda f, a: f(image(a, 3, 2), image(a, 3, 2), 3, padding=1, groups=3),
            lambda f, a: f(image(a, 3, 4), image(a, 3, 2), 2, stride=2, groups=3),
        ]
    return {
        f"{kernel} {algorithm}": case(scale, *calls)
        for kernel, calls in (
            ("conv2d_forward", forward),
            ("conv2d_backward_input", to_input),
            ("conv2d_backward_weight", to_weight),
        )
    }


def of_activation(kind: str) -> dict[str, Case]:
    """Return the cases of an activation."""
    return {
        f"activation_forward {kind}": Case(
            result, (lambda f, a: f(a.sweep(), kind),), ELEMENTS
        ),
        f"activation_backward {kind}": Case(
            gradient_scale(kind), (lambda f, a: f(*activated(a, kind), kind),), ELEMENTS
        ),
    }


CASES: dict[str, Case] = {
    "matmul": case(
        terms,
        lambda f, a: f(a(5, a.sizes.places), a(a.sizes.places, 7), a(7)),
        lambda f, a: f(a(a.sizes.places, 5), a(a.sizes.places, 7), transpose_a=True),
        lambda f, a: f(a(5, a.sizes.places), a(7, a.sizes.places), transpose_b=True),
    ),
    "stacked_matmul": case(
        terms, lambda f, a: f(a(2, 5, a.sizes.places), a(2, a.sizes.places, 7))
    ),
    **of_conv2d("direct", terms),
    **of_conv2d("winograd", largest_terms),
    "max_pool2d_forward": case(result, lambda f, a: f(image(a), 3, stride=2)[0]),
    "max_pool2d_backward": case(
        terms,
        lambda f, a: f(
            image(a, side=94),
            np.zeros((1, 94, 94, 2), np.uint8),
            (1, 96, 96, 2),
            3,
            stride=1,
        ),
    ),
    "avg_pool2d_forward": case(
        terms,
        lambda f, a: f(image(a), 2),
        lambda f, a: f(image(a), 32),
        lambda f, a: f(
            x := a(1, a.sizes.rows // 200, 4, 40), (x.shape[1], 3), stride=1
        ),
    ),
    "avg_pool2d_backward": case(
        terms,
        lambda f, a: f(image(a, part=2), (1, a.sizes.side, a.sizes.side, 2), 2),
        lambda f, a: f(image(a, side=33), (1, 48, 48, 2), 16, stride=1),
    ),
    "global_avg_pool2d_forward": case(
        terms,
        lambda f, a: f(image(a)),
        lambda f, a: f(image(a, 3)),
        lambda f, a: f(image(a, 70, 4)),
    ),
    "global_avg_pool2d_backward": case(terms, lambda f, a: f(a(1, 3), (1, 56, 56, 3))),
    "adaptive_avg_pool2d_forward": case(
        terms,
        lambda f, a: f(image(a), 7),
        lambda f, a: f(a(1, a.sizes.rows // 200, 4, 40), 3),
    ),
    "adaptive_avg_pool2d_backward": case(
        terms,
        lambda f, a: f(a(1, 7, 7, 3), (1, 56, 57, 3), 7),
        lambda f, a: f(image(a, part=4), (1, 7, 11, 2), a.sizes.side // 4),
    ),
    "batchnorm_forward": case(
        normed,
        lambda f, a: f(a(a.sizes.rows, 2), a(2), a(2)),
        lambda f, a: f(image(a), a(2), a(2), activation="relu"),
    ),
    "batchnorm_inference": case(
        largest,
        lambda f, a: f(a(a.sizes.rows, 2), a(2), a(2), a(2), np.abs(a(2))),
    ),
    "batchnorm_backward": case(
        norm_gradients,
        lambda f, a: f(a(a.sizes.rows, 2), a(a.sizes.rows, 2), a(2), -a(2), a(2)),
        without=ALIKE,
    ),
    "layernorm_forward": case(
        normed,
        lambda f, a: f(a(a.sizes.rows // 5, 8), a(8), a(8)),
        lambda f, a: f(a(2, a.sizes.places), a(a.sizes.places), a(a.sizes.places)),
        lambda f, a: f(image(a, 6, 2), a(6), a(6), groups=3),
    ),
    "layernorm_backward": case(
        norm_gradients,
        lambda f, a: f(
            *(a(a.sizes.rows, 2) for _ in range(2)),
            a(2),
            -a(a.sizes.rows, 1),
            a(a.sizes.rows, 1),
        ),
        lambda f, a: f(
            *(a(2, a.sizes.places) for _ in range(2)),
            a(a.sizes.places),
            -a(2, 1),
            a(2, 1),
        ),
        lambda f, a: f(image(a, 6, 2), image(a, 6, 2), a(6), -a(1, 3), a(1, 3)),
        without=ALIKE,
    ),
    "scale_forward": case(result, lambda f, a: f(a(2, 90, 90, 3), a(2, 1, 1, 3))),
    "scale_backward": case(
        terms, lambda f, a: f(a(2, 90, 90, 3), a(2, 90, 90, 3), a(2, 1, 1, 3))
    ),
    **dict(chain.from_iterable(of_activation(kind).items() for kind in ACTIVATIONS)),
    "prelu_forward": case(result, lambda f, a: f(a(1_000, 3), a(3))),
    "prelu_backward": case(
        terms,
        lambda f, a: f(a(a.sizes.rows, 2), -a(a.sizes.rows, 2), a(2)),
        lambda f, a: f(a(a.sizes.rows), -a(a.sizes.rows), a(1)),
        lambda f, a: f(a(100, 200), -a(100, 200), a(200)),
    ),
    "upsample_forward": case(
        terms,
        lambda f, a: f(a(1, 50, 45, 3), scale_factor=2, mode="bilinear"),
        lambda f, a: f(a(1, 50, 45, 3), 111, mode="bilinear", align_corners=True),
    ),
    "upsample_backward": case(
        terms,
        lambda f, a: f(y := image(a, 3, 8), y.shape, scale_factor=1),
        lambda f, a: f(y := image(a, 3, 2), (1, 7, 7, 3), y.shape[1], mode="bilinear"),
    ),
    "softmax_forward": case(
        by(lambda a: softmax_scale(logits(a))), lambda f, a: f(logits(a))
    ),
    "log_softmax_forward": case(
        by(lambda a: log_softmax_scale(logits(a))), lambda f, a: f(logits(a))
    ),
    "softmax_cross_entropy_forward labels": case(
        by(
            lambda a: cross_entropy_scale(
                logits(a), one_hot(labels(a), a.sizes.classes)
            )
        ),
        lambda f, a: f(logits(a), labels(a)),
    ),
    "softmax_cross_entropy_forward rows": case(
        by(lambda a: cross_entropy_scale(logits(a), label_rows(a))),
        lambda f, a: f(logits(a), label_rows(a)),
    ),
    "softmax_cross_entropy_forward sum": case(
        by(
            lambda a: cross_entropy_scale(
                x := a(a.sizes.rows, 2),
                one_hot(np.arange(len(x)) % 2, 2),
                1 / a.sizes.rows,
            )
        ),
        lambda f, a: f(
            a(a.sizes.rows, 2), np.arange(a.sizes.rows) % 2, scale=1 / a.sizes.rows
        ),
    ),
    "softmax_cross_entropy_backward labels": case(
        by(
            lambda a: (
                (np.abs(logits(a)) + one_hot(labels(a), a.sizes.classes))
                * np.abs(a(2))[:, np.newaxis]
            )
        ),
        lambda f, a: f(logits(a), labels(a), a(2)),
    ),
    "softmax_cross_entropy_backward rows": case(
        by(
            lambda a: (
                (label_rows(a) * (y := label_rows(a)).sum(-1, keepdims=True) + y)
                * np.abs(a(2))[:, np.newaxis]
            )
        ),
        lambda f, a: f(label_rows(a), label_rows(a), a(2)),
    ),
    "sigmoid_cross_entropy_forward": case(
        by(lambda a: sigmoid_loss_scale(x := a.sweep(), share(a, x.size))),
        lambda f, a: f(x := a.sweep(), share(a, x.size)),
    ),
    "sigmoid_cross_entropy_backward": case(
        by(
            lambda a: (logistic(x := a.sweep()) + np.abs(a(x.size))) * np.abs(a(x.size))
        ),
        lambda f, a: f(x := a.sweep(), a(x.size), a(x.size)),
    ),
    "dropout_forward": case(result, lambda f, a: f(a(10_000), 0.7, seed=1, offset=0)),
    "dropout_backward": case(result, lambda f, a: f(a(10_000), 0.7, seed=1, offset=0)),
    "l1_penalty_forward": case(result, lambda f, a: f(a(a.sizes.rows), 0.1)),
    "l1_penalty_backward": case(result, lambda f, a: f(a(1)[0], a(10_000), 0.1)),
    "l2_penalty_forward": case(result, lambda f, a: f(a(a.sizes.rows), 0.1)),
    "l2_penalty_backward": case(result, lambda f, a: f(a(1)[0], a(10_000), 0.1)),
    "max_norm_step": case(
        result,
        lambda f, a: in_place(f, a(a.sizes.rows, 2), limit=3.0),
        lambda f, a: in_place(f, a(a.sizes.places), limit=0.01),
    ),
    "affine_warp": case(
        largest,
        lambda f, a: f(image(a, part=2), np.array(TURN, a.dtype), fill="reflect"),
    ),
    "add": case(terms, lambda f, a: f(a(10_000), a(10_000))),
    "copy": case(result, lambda f, a: f(a(100, 7), np.empty((100, 7), a.dtype))),
    "power": case(
        result,
        *(lambda f, a, p=p: f(np.abs(a(1_000)), p) for p in POWERS),
    ),
    "power_backward": case(
        result,
        *(lambda f, a, p=p: f(a(1_000), np.abs(a(1_000)), p) for p in POWERS),
    ),
    "gather": case(result, lambda f, a: f(a(100, 7), np.arange(100)[::-1])),
    "gather_backward": case(terms, lambda f, a: f(a(1000, 7), np.arange(1000) % 3, 5)),
    "sgd_step": case(
        terms,
        lambda f, a: in_place(
            f, a(10_000), a(10_000), a(10_000), lr=a.rate, momentum=0.9
        ),
    ),
    "rmsprop_step": case(
        terms,
        lambda f, a: in_place(f, a(10_000), a(10_000), np.abs(a(10_000)), lr=a.rate),
    ),
    "adagrad_step": case(
        terms,
        lambda f, a: in_place(f, a(10_000), a(10_000), np.abs(a(10_000)), lr=a.rate),
    ),
    "adam_step": case(
        terms,
        lambda f, a: in_place(
            f, a(10_000), a(10_000), a(10_000), np.abs(a(10_000)), lr=a.rate, step=9
        ),
    ),
}
