"""Would more data help? The error against the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastdl.data import DataLike, Subset, as_dataset
from fastdl.data.strata import are_labels
from fastdl.errors import ArgumentError, DataError
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.strategy.measure import Wrong, measure
from fastdl.strategy.power_law import fit_power_laws, power_laws
from fastdl.strategy.tables import percent, table
from fastdl.structure import Structure
from fastdl.train import Trainer

HELPS = 0.1  # share of the dev error that twice the data must save to be worth it
POINTS = 6  # default number of sizes, each twice the one before
DRAWS = 1000  # bootstrap samples, for the intervals
_CONFIDENCE = (2.5, 97.5)  # per cent
_ENDLESS = 1e12  # examples; more than this means never


class Range(NamedTuple):
    """A number and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class DataCurve:
    r"""Errors for growing training sets, and the power law that they follow.

    .. math:: e(n) = a + b \, n^{-c}, \qquad a, b \ge 0, \quad 0.05 \le c \le 2

    Made by `learning_curve`, or from known errors.

    Attributes
    ----------
    sizes : ndarray of int, (k,)
        Training examples, growing; at least three.
    train, dev : ndarray, (k,)
        The error on those examples, and on the dev set; means, if each training was
        repeated.
    dev_examples : int
        The size of the dev set.
    seed : int
        Determines the random draws behind the intervals.

    Raises
    ------
    DataError
        There are fewer than three sizes, they do not grow, or an error is not valid.

    Notes
    -----
    Beyond the smallest sizes, learning curves follow a power law with a floor (Hestness
    et al. 2017, "Deep learning scaling is predictable, empirically"). The intervals are
    from a parametric bootstrap: the law is fitted again to errors drawn around it, with
    the spread of a count on the dev set or of the measured errors around the law,
    whichever is larger. Beyond a few times the largest size the intervals are wide, and
    the law is no promise.
    """

    sizes: np.ndarray
    train: np.ndarray
    dev: np.ndarray
    dev_examples: int
    seed: int = 0

    def __post_init__(self) -> None:
        integer(self.dev_examples, "DataCurve: dev_examples")
        integer(self.seed, "DataCurve: seed", 0)
        for name in ("sizes", "train", "dev"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        sizes = self.sizes
        shapes = {sizes.shape, self.train.shape, self.dev.shape}
        if sizes.ndim != 1 or len(sizes) < 3 or len(shapes) != 1:
            raise DataError(
                f"DataCurve: a law needs at least three sizes with their errors, got "
                f"{sizes.shape}, {self.train.shape} and {self.dev.shape}"
            )
        if not (sizes[0] >= 1 and (np.diff(sizes) > 0).all()):
            raise DataError(
                f"DataCurve: sizes must grow from 1 or more, got {sizes.tolist()}"
            )
        for errors in (self.train, self.dev):
            if not ((errors >= 0) & (errors <= 1)).all():  # also for NaN
                raise DataError(
                    f"DataCurve: errors are fractions from 0 to 1, got "
                    f"{errors.tolist()}"
                )
        object.__setattr__(self, "_laws", self._fit())

    def _fit(self) -> np.ndarray:
        """Return rows (a, b, c): the fit, then `DRAWS` fits to drawn errors."""
        n = self.dev_examples
        # Never 0: no mistakes among n examples do not prove that there are none.
        likely = (self.dev * n + 1) / (n + 2)
        spread = np.sqrt(likely * (1 - likely) / n)
        fit = fit_power_laws(self.sizes, self.dev[np.newaxis], spread)
        expected = power_laws(fit, self.sizes)
        misfit = np.sqrt(np.mean(((self.dev - expected) / spread) ** 2))
        rng = np.random.default_rng(self.seed)
        noise = rng.standard_normal((DRAWS, len(self.sizes)))
        drawn = np.clip(expected + max(1.0, misfit) * spread * noise, 0, 1)
        return np.concatenate([fit, fit_power_laws(self.sizes, drawn, spread)])

    @property
    def law(self) -> tuple[float, float, float]:
        """The coefficients a, b, c of the law."""
        a, b, c = self._laws[0].tolist()  # type: ignore[attr-defined]
        return a, b, c

    def expected(self, size: float) -> Range:
        """Return the dev error to expect from this many training examples.

        Raises
        ------
        ArgumentError
            The size is not a number from 1.
        """
        if not isinstance(size, (int, float, np.number)) or not 1 <= size < math.inf:
            raise ArgumentError(
                f"expected: the size is a number of examples from 1, got {size!r:.60}"
            )
        errors = power_laws(self._laws, np.array([float(size)]))  # type: ignore[attr-defined]
        return _range(np.clip(errors[:, 0], 0, 1))

    def needed(self, error: float) -> Range:
        """Return how many training examples a dev error should need.

        Infinite if the floor of the law is above it; then more data of this kind will
        not be enough.

        Raises
        ------
        ArgumentError
            The error is not between 0 and 1.
        """
        if not isinstance(error, (int, float, np.number)) or not 0 < error < 1:
            raise ArgumentError(
                f"needed: the error is a fraction between 0 and 1, got {error!r:.60}"
            )
        a, b, c = self._laws.T  # type: ignore[attr-defined]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            sizes = np.where(error > a, (b / (error - a)) ** (1 / c), math.inf)
        sizes[sizes > _ENDLESS] = math.inf
        return _range(sizes)

    @property
    def helps(self) -> bool:
        """Whether twice the data should save at least a tenth of the dev error."""
        now, double = (self.expected(f * self.sizes[-1]).value for f in (1, 2))
        return now > 0 and now - double >= HELPS * now

    def summary(self, wanted: float | None = None) -> str:
        """Say whether more data would help.

        Parameters
        ----------
        wanted : float, optional
            A dev error, to say how many examples it needs.
        """
        size = int(self.sizes[-1])
        double = self.expected(2 * size)
        little = "" if self.helps else " little"
        lines = [
            f"more data would help{little}: with {size:,} training examples the dev "
            f"error is {_percent(self.dev[-1])}, with {2 * size:,} about "
            f"{_percent(double.value)} ({_percent(double.low)} to "
            f"{_percent(double.high)}); the floor of the law is "
            f"{_percent(self.law[0])}"
        ]
        if self.helps and double.value >= self.dev[-1]:
            lines.append(
                f"these numbers are rough: the law gives "
                f"{_percent(self.expected(size).value)} for {size:,} examples, more "
                f"than was measured"
            )
        if wanted is not None:
            lines.append(self._wanted(wanted))
        return "\n".join(lines)

    def _wanted(self, wanted: float) -> str:
        value, low, high = self.needed(wanted)
        text = f"a dev error of {_percent(wanted)}"
        if math.isinf(value):
            return f"{text} is out of reach by more data of this kind"
        most = "or more" if math.isinf(high) else f"to {high:,.0f}"
        return f"{text} needs about {value:,.0f} training examples ({low:,.0f} {most})"

    def table(self) -> str:
        """Return the errors beside the law's, as a table."""
        laws = power_laws(self._laws[:1], self.sizes)[0]  # type: ignore[attr-defined]
        columns = zip(self.sizes.tolist(), self.train, self.dev, laws, strict=True)
        rows = [
            [f"{size:,}", *(_percent(error) for error in errors)]
            for size, *errors in columns
        ]
        return "\n".join(table([["examples", "train", "dev", "law"], *rows]))

    def __str__(self) -> str:
        """Return the table and the summary."""
        return f"{self.table()}\n\n{self.summary()}"


def learning_curve(
    fit: Callable[[Subset, int], Trainer],
    train: DataLike,
    dev: DataLike,
    sizes: Sequence[int] | None = None,
    repeats: int = 1,
    seed: int = 0,
    wrong: Wrong | None = None,
    progress: bool | None = None,
) -> DataCurve:
    """Train on growing parts of the training set; each holds the smaller ones.

    ::

        def fit(part, seed):
            fastdl.manual_seed(seed)
            trainer = fastdl.Trainer(fastdl.models.create("mlp"))
            trainer.fit(part, epochs=10, seed=seed)
            return trainer

        curve = strategy.learning_curve(fit, train, dev)
        print(curve)
        curve.needed(0.02)  # how many examples for a dev error of 2 %?

    Parameters
    ----------
    fit : callable
        ``fit(part, seed) -> Trainer``: makes a new model and trains it on the part.
    train, dev : Dataset or tuple (x, y)
        The training set, whose parts are drawn at random and have the same shares of
        the classes; and the dev set.
    sizes : sequence of int, optional
        How many examples, growing, at least three. By default six, each twice the one
        before, up to the whole training set.
    repeats : int
        Trainings for each size, with different parts and seeds; their errors are
        averaged.
    seed : int
        From 0. `fit` is called with ``seed``, ``seed + 1``, ...
    wrong, progress
        As in `measure`.

    Returns
    -------
    DataCurve

    Raises
    ------
    ArgumentError
        `fit` does not return a Trainer; or the sizes do not grow, or exceed the data.
    FastdlError
        Whatever a training or a measurement raises.
    """
    train, dev = as_dataset(train), as_dataset(dev)
    sizes = _sizes(sizes, len(train))
    integer(repeats, "learning_curve: repeats")
    integer(seed, "learning_curve: seed", 0)
    if not callable(fit):
        raise ArgumentError(
            f"learning_curve: fit must be a function fit(part, seed), got {fit!r:.60}"
        )
    errors = np.zeros((repeats, len(sizes), 2))
    with progress_bar(
        desc="learning curve",
        total=repeats * len(sizes),
        unit=" trainings",
        leave=False,
        shown=progress,
    ) as bar:
        for repeat in range(repeats):
            order = _balanced_order(train.y, len(train), seed + repeat)
            for place, size in enumerate(sizes):
                part = Subset(train, np.sort(order[:size]))
                trainer = fit(part, seed + repeat)
                if not isinstance(trainer, Trainer):
                    raise ArgumentError(
                        f"learning_curve: fit must return a Trainer, got "
                        f"{trainer!r:.60}"
                    )
                found = measure(
                    trainer, train=part, dev=dev, wrong=wrong, progress=False
                ).errors
                errors[repeat, place] = found["train"], found["dev"]
                bar.update()
    mean = errors.mean(axis=0)
    return DataCurve(np.array(sizes), mean[:, 0], mean[:, 1], len(dev), seed)


def _sizes(sizes: Sequence[int] | None, total: int) -> list[int]:
    if total < 4:
        raise DataError(
            f"learning_curve: {total} training examples are too few for parts of three "
            f"sizes; expected 4 or more"
        )
    if sizes is None:
        halves = {total >> k for k in range(POINTS)} - {0}
        return sorted(halves)
    found = [integer(size, "learning_curve: a size") for size in sizes]
    if len(found) < 3 or sorted(set(found)) != found or found[-1] > total:
        raise ArgumentError(
            f"learning_curve: expected three or more sizes that grow up to {total} "
            f"examples at most, got {found}"
        )
    return found


def _balanced_order(y: Structure, total: int, seed: int) -> np.ndarray:
    """Return a random order in which any first part has its share of every class."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(total)
    if not are_labels(y):
        return order
    place = np.empty(total)  # of each example within its class, from 0 to 1
    labels = y[order]
    for label in np.unique(labels):
        those = np.flatnonzero(labels == label)
        place[those] = (np.arange(len(those)) + rng.random()) / len(those)
    return order[np.argsort(place, kind="stable")]


def _range(values: np.ndarray) -> Range:
    """Return the first, with the interval that contains 95 % of the others."""
    # By rank: infinities cannot be interpolated.
    low, high = np.percentile(values[1:], _CONFIDENCE, method="nearest").tolist()
    value = float(values[0])
    return Range(value, min(low, value), max(high, value))


def _percent(share: float) -> str:
    return percent(share, 3)
