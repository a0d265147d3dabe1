"""Pipelines evaluated stage by stage (SPEC S36)."""

from functools import partial

import numpy as np
import pytest

from fastdl import metrics
from fastdl.errors import ArgumentError, ShapeError
from fastdl.strategy import Pipeline

M = 1000


def wrong(values, share, seed):
    """Return whole numbers 0 to 9 of which a share is another one."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(values))[: round(share * len(values))]
    result = values.copy()
    result[chosen] = (values[chosen] + rng.integers(1, 10, len(chosen))) % 10
    return result


def chain(*shares):
    """Return a pipeline whose stages add 1 and are wrong for a share of all."""

    def stage(number, share, previous, x):
        return wrong((previous + 1) % 10, share, number)

    return Pipeline(
        {f"s{i}": partial(stage, i, share) for i, share in enumerate(shares)}
    )


X = np.random.default_rng(9).integers(0, 10, M)
TRUTH = {f"s{i}": (X + 1 + i) % 10 for i in range(3)}


def test_the_gain_of_a_perfect_stage_is_a_number():
    """S36: truth is substituted stage by stage; the gains add up to perfection."""
    report = chain(0.2, 0.05, 0.1).evaluate(X, TRUTH)
    assert report.score == metrics.accuracy(TRUTH["s2"], chain(0.2, 0.05, 0.1)(X))
    # After a perfect first stage only the two others err.
    second, third = chain(0, 0.05, 0.1), chain(0, 0, 0.1)
    perfect = [row.perfect for row in report.stages]
    assert perfect == [
        metrics.accuracy(TRUTH["s2"], second(X)),
        metrics.accuracy(TRUTH["s2"], third(X)),
        1,
    ]
    assert third(X).tolist() != second(X).tolist()
    gains = [row.gain for row in report.stages]
    np.testing.assert_allclose(gains, np.diff([report.score, *perfect]))
    assert report.gains == dict(zip(TRUTH, gains, strict=True))
    assert report.score + sum(gains) == pytest.approx(1)
    assert report.most == "s0"
    assert gains[0] == pytest.approx(0.17, abs=0.02)
    assert gains[2] == pytest.approx(0.1)


def test_each_stage_alone():
    """S36: a stage is measured after true inputs, whatever those before it do."""
    accuracy = {"s0": "accuracy", "s1": metrics.accuracy}
    report = chain(0.9, 0.05, 0.1).evaluate(X, TRUTH, measures=accuracy)
    alone = [row.alone for row in report.stages]
    np.testing.assert_allclose(alone, [0.1, 0.95, 0.9])


def test_a_stage_that_only_computes_needs_no_truth():
    truth = {"s0": TRUTH["s0"], "s2": TRUTH["s2"]}
    report = chain(0.2, 0, 0.1).evaluate(X, truth)
    first, middle, last = report.stages
    assert (middle.alone, middle.perfect, middle.gain) == (None, None, None)
    assert first.gain + last.gain == pytest.approx(1 - report.score)
    assert report.gains.keys() == truth.keys()


def test_end_to_end_beside_it():
    """S36: another way from the inputs to the outputs, by the same metric."""
    report = chain(0.1, 0.1, 0.1).evaluate(
        X, TRUTH, end_to_end=lambda x: wrong((x + 3) % 10, 0.3, 5)
    )
    assert report.end_to_end == pytest.approx(0.7)
    assert chain(0.1).evaluate(X, {"s0": TRUTH["s0"]}).end_to_end is None


def test_stages_see_the_input_too():
    """What is found in a picture is cut out of it."""
    pictures = np.random.default_rng(0).random((20, 8))
    pipeline = Pipeline(
        {
            "find": lambda x, _: x.argmax(axis=1),
            "cut": lambda places, x: x[np.arange(len(x)), places],
        }
    )
    np.testing.assert_array_equal(pipeline(pictures), pictures.max(axis=1))
    assert repr(pipeline) == "Pipeline(find -> cut)"


def test_a_metric_that_falls():
    """The error rate of a perfect pipeline is 0: its gains are negative."""
    report = chain(0.2, 0.05, 0.1).evaluate(X, TRUTH, metric="error_rate")
    assert report.most == "s0"
    assert report.gains["s0"] == pytest.approx(-0.17, abs=0.02)
    assert report.score + sum(report.gains.values()) == pytest.approx(0)


def test_table():
    """S36: printed as a table."""
    pipeline = chain(0.2, 0, 0.1)
    truth = {"s0": TRUTH["s0"], "s2": TRUTH["s2"]}
    report = pipeline.evaluate(
        X, truth, measures={"s0": "accuracy"}, end_to_end=lambda x: (x + 3) % 10
    )
    lines = str(report).splitlines()
    gain = report.gains["s0"]
    assert [line.split() for line in lines[2:7]] == [
        ["(as", "it", "is)", f"{report.score:.4f}"],
        ["s0", "0.8000", "0.9000", f"{gain:+.4f}"],
        ["s1"],
        ["s2", "0.9000", "1.0000", "+0.1000"],
        ["(end", "to", "end)", "1.0000", f"{1 - report.score:+.4f}"],
    ]
    assert "accuracy if perfect so far" in lines[0]
    assert lines[-1] == (f"1,000 examples; a perfect 's0' would gain most, {gain:+.4f}")


def test_nothing_to_gain():
    report = chain(0, 0).evaluate(X, {"s1": TRUTH["s1"]})
    assert report.most is None
    assert str(report).endswith("no stage would gain by being perfect")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"truth": {"s0": TRUTH["s0"]}}, ArgumentError, "truth of 's2' is needed"),
        (
            {"truth": TRUTH | {"s22": X}},
            ArgumentError,
            "no stage 's22'; did you mean 's2'",
        ),
        ({"measures": {"t": "accuracy"}}, ArgumentError, "no stage 't'"),
        (
            {"truth": {"s2": X}, "measures": {"s0": "accuracy"}},
            ArgumentError,
            "truth of 's0' is needed",
        ),
        (
            {"truth": TRUTH | {"s1": X[:-1]}},
            ShapeError,
            "the truth of 's1' has 999 rows for 1000 examples",
        ),
        ({"end_to_end": lambda x: x[1:]}, ShapeError, "end_to_end gave 999 rows"),
        ({"metric": "acuracy"}, ArgumentError, "did you mean 'accuracy'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        chain(0, 0, 0).evaluate(**{"x": X, "truth": TRUTH} | options)


def test_bad_stages():
    with pytest.raises(ArgumentError, match="no stage"):
        Pipeline({})
    with pytest.raises(ArgumentError, match="stage 'a' must be a function"):
        Pipeline({"a": np.ones(3)})
    loses = Pipeline({"loses": lambda previous, x: previous[1:]})
    with pytest.raises(ShapeError, match="stage 'loses' gave 999 rows"):
        loses(X)
