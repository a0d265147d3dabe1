"""Chained models, and which of them to work on (SPEC S36).

A pipeline finds the digit, crops it and reads it; an end-to-end network reads it from
the whole picture. To see where a pipeline fails, its stages are replaced by the truth
one by one: the improvement of the end result is the most that a perfect stage could
gain.

Source: Ng, *Machine Learning Yearning*, 2018, chapters 47 to 57 (end-to-end deep
learning; error analysis by parts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdl.errors import ArgumentError, ShapeError, suggest
from fastdl.metrics import MetricLike, as_metric
from fastdl.strategy.tables import table

# What passes between stages may be anything: arrays, boxes, texts.
Stage = Callable[[Any, Any], Any]


class Pipeline:
    """Stages in a row: each gets the output of the one before, and the original input.

    ::

        pipeline = strategy.Pipeline(
            {
                "find": lambda x, _: finder.predict(x),
                "crop": lambda places, x: crop(x, places),
                "read": lambda crops, _: reader.predict(crops),
            }
        )
        truth = {"find": places, "read": digits}
        print(pipeline.evaluate(x, truth, end_to_end=network.predict))

    Calling it gives the output of the last stage.

    Parameters
    ----------
    stages : mapping of str to callable
        By name and in order: ``stage(previous, x)`` returns one row for each example.
        The first gets x as both.

    Raises
    ------
    ArgumentError
        There is no stage, or one is not a function.
    """

    def __init__(self, stages: Mapping[str, Stage]) -> None:
        self.stages = dict(stages)
        if not self.stages:
            raise ArgumentError("Pipeline: there is no stage")
        for name, stage in self.stages.items():
            if isinstance(stage, type) or not callable(stage):
                raise ArgumentError(
                    f"Pipeline: stage {name!r} must be a function (previous, x), got "
                    f"{stage!r:.60}"
                )

    def __call__(self, x: Sized) -> Any:
        """Return the output of the last stage for inputs x, (m, ...)."""
        return self._run(self.stages, x, x)

    def evaluate(
        self,
        x: Sized,
        truth: Mapping[str, Any],
        metric: MetricLike = "accuracy",
        measures: Mapping[str, MetricLike] | None = None,
        end_to_end: Callable[[Any], Any] | None = None,
    ) -> PipelineReport:
        """Measure it as it is, and with the stages up to each one perfect.

        Parameters
        ----------
        x : array, (m, ...)
            The inputs of a dev set.
        truth : mapping of str to array, (m, ...)
            The right outputs of the last stage and any others. A stage without a truth
            (one that only computes) has no gain of its own.
        metric : str, Metric or callable
            Measures the last stage against its truth, as `fastdl.metrics.as_metric`
            takes it.
        measures : mapping of str to str, Metric or callable, optional
            Metrics of other stages, each measured alone: from true inputs, against its
            truth.
        end_to_end : callable, optional
            Another way from x to the output of the last stage, for comparison.

        Raises
        ------
        ArgumentError
            There is no stage of a name, or a truth that is needed is missing.
        ShapeError
            There is not one row of truth, or of output, for each example.
        """
        names = list(self.stages)
        last = names[-1]
        scales: dict[str, MetricLike] = {**(measures or {}), last: metric}
        for name in (*truth, *scales):
            if name not in self.stages:
                raise ArgumentError(
                    f"Pipeline: no stage {name!r}{suggest(name, self.stages)}"
                )
        for name in scales:
            if name not in truth:
                raise ArgumentError(f"Pipeline: truth of {name!r} is needed")
        for name, known in truth.items():
            _check_rows(f"the truth of {name!r} has", known, x)

        def score(output: np.ndarray) -> float:
            return _measured(metric, truth[last], output)

        as_it_is = before = score(self(x))
        rows, value = [], x
        for place, name in enumerate(names):
            output = self._run([name], value, x)
            alone = gain = perfect = None
            if name in scales:
                alone = _measured(scales[name], truth[name], output)
            value = truth.get(name, output)
            if name in truth:
                perfect = score(self._run(names[place + 1 :], value, x))
                gain, before = perfect - before, perfect
            rows.append(StageScore(name, alone, perfect, gain))
        other = None
        if end_to_end is not None:
            output = end_to_end(x)
            _check_rows("end_to_end gave", output, x)
            other = score(output)
        return PipelineReport(
            as_metric(metric).name, len(x), as_it_is, tuple(rows), other
        )

    def _run(self, names: Iterable[str], value: Any, x: Sized) -> Any:
        """Return a value after these stages."""
        for name in names:
            value = self.stages[name](value, x)
            _check_rows(f"stage {name!r} gave", value, x)
        return value

    def __repr__(self) -> str:
        return f"Pipeline({' -> '.join(self.stages)})"


@dataclass(frozen=True)
class StageScore:
    """One stage of a pipeline.

    Attributes
    ----------
    name : str
    alone : float or None
        Its own measure, from true inputs.
    perfect : float or None
        The metric of the whole pipeline if this stage and all before give the truth;
        None if the truth is not known.
    gain : float or None
        The improvement over perfect stages before this one only.
    """

    name: str
    alone: float | None
    perfect: float | None
    gain: float | None


@dataclass(frozen=True)
class PipelineReport:
    """How good a pipeline is, stage by stage; ``print`` shows it as a table.

    Attributes
    ----------
    metric : str
        The name of the metric.
    examples : int
    score : float
        The metric of the pipeline as it is.
    stages : tuple of StageScore
    end_to_end : float or None
        The metric of the other way, if one was given.
    """

    metric: str
    examples: int
    score: float
    stages: tuple[StageScore, ...]
    end_to_end: float | None = None

    @property
    def gains(self) -> dict[str, float]:
        """What each perfect stage would gain, by name, if its truth is known."""
        return {row.name: row.gain for row in self.stages if row.gain is not None}

    @property
    def most(self) -> str | None:
        """The stage whose perfection would gain most; None if none would gain."""
        # With all perfect it is best, whether the metric is to rise or to fall.
        sign = np.sign(sum(self.gains.values()))
        name = max(self.gains, key=lambda each: sign * self.gains[each])
        return name if sign * self.gains[name] > 0 else None

    def __str__(self) -> str:
        cells = [
            ["stage", "alone", f"{self.metric} if perfect so far", "gain"],
            ["(as it is)", "", _text(self.score), ""],
        ]
        for row in self.stages:
            gain = _text(row.gain, "+")
            cells.append([row.name, _text(row.alone), _text(row.perfect), gain])
        if self.end_to_end is not None:
            difference = _text(self.end_to_end - self.score, "+")
            cells.append(["(end to end)", "", _text(self.end_to_end), difference])
        examples = f"{self.examples:,} examples"
        if self.most is None:
            end = f"{examples}; no stage would gain by being perfect"
        else:
            gain = _text(self.gains[self.most], "+")
            end = f"{examples}; a perfect {self.most!r} would gain most, {gain}"
        return "\n".join([*table(cells), end])


def _measured(metric: MetricLike, y_true: np.ndarray, y_pred: np.ndarray) -> float:
    gathered = as_metric(metric)
    gathered.update(y_true, y_pred)
    return float(gathered.result())


def _check_rows(what: str, values: object, x: Sized) -> None:
    """Raise unless there is one row for each example, if rows can be counted."""
    if hasattr(values, "__len__") and len(values) != len(x):
        raise ShapeError(f"Pipeline: {what} {len(values)} rows for {len(x)} examples")


def _text(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4f}"
