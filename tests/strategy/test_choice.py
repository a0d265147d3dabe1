"""One measure to optimise, limits for the others (SPEC S28)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import strategy
from fastdl.errors import ArgumentError, DataError

CLASSIFIERS = {
    "A": {"accuracy": 0.90, "latency_ms": 80},
    "B": {"accuracy": 0.92, "latency_ms": 95},
    "C": {"accuracy": 0.95, "latency_ms": 1500},
}
LIMIT = {"latency_ms": 100}


def reasons(choice):
    return {each.name: each.why_not for each in choice.candidates}


def test_three_classifiers():
    """S28: A 90 % 80 ms, B 92 % 95 ms, C 95 % 1,500 ms, limit 100 ms: B."""
    choice = strategy.choose(CLASSIFIERS, optimise="accuracy", limits=LIMIT)
    assert choice.best == "B"
    assert choice.measures == CLASSIFIERS["B"]
    assert not choice.minimise
    assert reasons(choice) == {
        "B": "",
        "A": "accuracy is lower by 0.02",
        "C": "not latency_ms <= 100",
    }


def test_a_wake_word():
    """S28: the most accurate with at most one false alarm in 24 hours."""
    detectors = {
        "eager": {"accuracy": 0.99, "false_alarms_per_24_hours": 3},
        "good": {"accuracy": 0.97, "false_alarms_per_24_hours": 1},
        "shy": {"accuracy": 0.90, "false_alarms_per_24_hours": 0},
    }
    choice = strategy.choose(detectors, limits={"false_alarms_per_24_hours": 1})
    assert choice.best == "good"
    assert reasons(choice)["eager"] == "not false_alarms_per_24_hours <= 1"


def test_the_single_formula_for_comparison():
    """S28: accuracy - 0.5 x seconds: A 0.86, B 0.8725, C 0.2."""
    classifiers = {
        name: {**each, "seconds": each["latency_ms"] / 1000}
        for name, each in CLASSIFIERS.items()
    }
    text = "accuracy - 0.5 * seconds"
    for formula in (text, lambda m: m["accuracy"] - 0.5 * m["seconds"]):
        choice = strategy.choose(classifiers, limits=LIMIT, formula=formula)
        values = {each.name: each.value for each in choice.candidates}
        assert values == pytest.approx({"A": 0.86, "B": 0.8725, "C": 0.2})
        assert choice.by_formula == choice.best == "B"
    # Without the limit the formula still says B, accuracy alone C.
    choice = strategy.choose(classifiers, formula=text)
    assert (choice.best, choice.by_formula) == ("C", "B")
    assert choice.formula == text


def test_the_table():
    """S28: with the chosen one, and why each other fell out."""
    choice = strategy.choose(
        CLASSIFIERS, limits=LIMIT, formula="accuracy - 0.5 * latency_ms / 1000"
    )
    assert str(choice).splitlines() == [
        "   accuracy  latency_ms  formula",
        "    highest      <= 100",
        "-----------------------------------------------------------",
        "B      0.92          95   0.8725  <- chosen",
        "A       0.9          80     0.86  accuracy is lower by 0.02",
        "C      0.95       1,500      0.2  not latency_ms <= 100",
        "-----------------------------------------------------------",
        "chosen: B, the highest accuracy of those with latency_ms <= 100",
        "by the formula accuracy - 0.5 * latency_ms / 1000 alone: B",
    ]


def test_several_limits_from_above_and_below():
    """S28: N satisficing metrics."""
    models = {
        "fast": {"accuracy": 0.93, "latency_ms": 10, "recall": 0.80, "file_bytes": 5e6},
        "good": {"accuracy": 0.92, "latency_ms": 99, "recall": 0.91, "file_bytes": 5e6},
        "safe": {"accuracy": 0.90, "latency_ms": 50, "recall": 0.95, "file_bytes": 5e6},
        "huge": {"accuracy": 0.95, "latency_ms": 90, "recall": 0.95, "file_bytes": 5e9},
    }
    limits = {"latency_ms": 100, "recall": (0.9, None), "file_bytes": (None, 1e7)}
    choice = strategy.choose(models, limits=limits)
    assert choice.best == "good"
    assert reasons(choice)["fast"] == "not recall >= 0.9"
    assert reasons(choice)["huge"] == "not file_bytes <= 10,000,000"
    both = strategy.choose(models, limits={"latency_ms": (20, 60)})
    assert both.best == "safe"
    assert reasons(both)["good"] == "not latency_ms 20 to 60"
    same = strategy.choose(models, "recall", {"recall": 0.9, "latency_ms": 60})
    assert same.best == "safe"
    assert "highest, >= 0.9" in str(same)
    everything = strategy.choose(models, limits={"latency_ms": 20, "recall": 0.9})
    assert reasons(everything)["huge"] == "not latency_ms <= 20"


def test_a_limit_itself_is_good_enough():
    assert strategy.choose(CLASSIFIERS, limits={"latency_ms": 95}).best == "B"
    assert strategy.choose(CLASSIFIERS, limits={"accuracy": (0.95, 0.95)}).best == "C"


def test_less_may_be_better():
    """S28: by the name of the measure, or said."""
    models = {"a": {"error": 0.1, "kindness": 3}, "b": {"error": 0.2, "kindness": 1}}
    choice = strategy.choose(models, "error")
    assert choice.best == "a"
    assert choice.minimise
    assert reasons(choice)["b"] == "error is higher by 0.1"
    assert "lowest" in str(choice)
    assert strategy.choose(models, "error", minimise=False).best == "b"
    assert strategy.choose(models, "kindness", minimise=True).best == "b"
    with pytest.raises(ArgumentError, match="more or less of 'kindness' better"):
        strategy.choose(models, "kindness")


def test_of_equal_ones_the_farther_from_a_limit_then_the_first():
    models = {
        "a": {"accuracy": 0.9, "latency_ms": 50, "recall": 0.8},
        "b": {"accuracy": 0.9, "latency_ms": 40, "recall": 0.7},
        "c": {"accuracy": 0.9, "latency_ms": 40, "recall": 0.9},
        "d": {"accuracy": 0.9, "latency_ms": 40, "recall": 0.9},
    }
    choice = strategy.choose(models, limits={"latency_ms": 60, "recall": 0.5})
    assert [each.name for each in choice.candidates] == ["c", "d", "b", "a"]
    assert reasons(choice) == {
        "c": "",
        "d": "equal accuracy, and named later",
        "b": "equal accuracy, but recall is nearer to its limit",
        "a": "equal accuracy, but latency_ms is nearer to its limit",
    }
    assert strategy.choose(models).best == "a"


NUMBERS = st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["accuracy", "latency_ms", "recall"]), NUMBERS),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, 0.3, 0.5]),
    st.sampled_from([(0.25, None), (None, 0.5), (0.2, 0.6)]),
)
def test_none_that_fits_is_better(models, latency, recall):
    """S28: against all candidates, one by one."""
    known = {name for each in models for name in each}
    if known != {"accuracy", "latency_ms", "recall"}:
        return
    limits = {"latency_ms": latency, "recall": recall}
    choice = strategy.choose(models, limits=limits)
    low = -math.inf if recall[0] is None else recall[0]
    high = math.inf if recall[1] is None else recall[1]
    fitting = {
        str(number): each["accuracy"]
        for number, each in enumerate(models, 1)
        if not math.isnan(each.get("accuracy", math.nan))
        and each.get("latency_ms", math.nan) <= latency
        and low <= each.get("recall", math.nan) <= high
    }
    assert {each.name for each in choice.candidates if each.fits} == set(fitting)
    assert len(choice.candidates) == len(models)
    if fitting:
        assert fitting[choice.best] == max(fitting.values())
        assert not choice.nearest
    else:
        assert choice.best is None
        assert choice.nearest
    assert str(choice)


def test_none_fits():
    """S28: which is nearest to its limits, and what it misses."""
    choice = strategy.choose(CLASSIFIERS, limits={"latency_ms": 50, "accuracy": 0.91})
    assert choice.best is None
    assert choice.nearest == (
        "nearest is A, which misses latency_ms <= 50 by 30 (60.0%) and "
        "accuracy >= 0.91 by 0.01 (1.1%)"
    )
    assert "none fits: nearest is A" in str(choice)
    assert "<- chosen" not in str(choice)
    with pytest.raises(ArgumentError, match="nearest is A"):
        _ = choice.measures
    zero = strategy.choose(
        {"a": {"accuracy": 1, "misses": 3}, "b": {"accuracy": 1, "misses": 2}},
        limits={"misses": 0},
    )
    assert zero.nearest.startswith("nearest is b, which misses misses <= 0 by 2")


def test_missing_and_nan():
    """S28: whoever lacks a measure is not chosen, and the table says so."""
    models = {
        "a": {"accuracy": math.nan, "latency_ms": 1},
        "b": {"latency_ms": 1},
        "c": {"accuracy": 0.99},
        "d": {"accuracy": 0.98, "latency_ms": None},
        "e": {"accuracy": math.inf, "latency_ms": 1},
        "f": {"accuracy": 0.5, "latency_ms": 1, "text": "no measure"},
        "g": {"accuracy": 0.9, "latency_ms": math.inf},
    }
    choice = strategy.choose(models, limits=LIMIT, formula="accuracy / latency_ms")
    assert choice.best == "f"
    assert reasons(choice) == {
        "f": "",
        "a": "accuracy is NaN",
        "b": "no accuracy",
        "c": "no latency_ms",
        "d": "latency_ms is NaN",
        "e": "accuracy is inf",
        "g": "not latency_ms <= 100",
    }
    values = {each.name: each.value for each in choice.candidates}
    assert values["b"] is values["c"] is None
    assert "nan" in str(choice)
    none = strategy.choose({"a": {"accuracy": math.nan}})
    assert none.nearest == "every candidate lacks a measure"
    assert none.by_formula is None


def test_numbers_of_numpy_and_lists():
    models = [
        {"name": "a", "accuracy": np.float32(0.5), "wrong": np.int64(3)},
        {"accuracy": 0.75, "wrong": 4},
    ]
    choice = strategy.choose(models)
    assert choice.best == "2"
    assert strategy.choose(models, "wrong").best == "a"
    assert strategy.choose(iter(models)).best == "2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"optimise": "acuracy"},
            "no candidate has 'acuracy'; did you mean 'accuracy'",
        ),
        ({"limits": {"latency": 1}}, "has 'latency'; did you mean 'latency_ms'"),
        ({"formula": "latncy_ms"}, "has 'latncy_ms'; did you mean 'latency_ms'"),
        ({"limits": {"latency_ms": (5, 1)}}, "low end below a high end"),
        ({"limits": {"latency_ms": (None, None)}}, "low end below a high end"),
        ({"limits": {"latency_ms": "fast"}}, "number, or a pair"),
        ({"limits": {"latency_ms": ("a", 1)}}, "number, or a pair"),
        ({"limits": {"latency_ms": (1, 2, 3)}}, "number, or a pair"),
        ({"limits": {"latency_ms": math.nan}}, "number, or a pair"),
        ({"limits": {"latency_ms": True}}, "number, or a pair"),
        ({"limits": {"colour": 3}}, "at most or at least 3"),
        ({"limits": 100}, "limits are a dict"),
        ({"formula": lambda m: "much"}, "must give one number, got 'much'"),
        ({"formula": "accuracy ** 2"}, "none of names, numbers"),
        ({"formula": 3}, "formula is a text or a function, got 3"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ArgumentError, match=message):
        strategy.choose(CLASSIFIERS, **options)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({}, "no candidates"),
        ([], "no candidates"),
        (3, "candidates are dicts of measures, runs, or a CSV file, got 3"),
        ([3], "a run or its folder, got 3"),
        ({"a": 0.9}, "the measures of 'a' are a dict"),
        ([{"accuracy": 1}, "runs/a"], "all dicts, or all runs"),
        ({"a": {}}, "none has a measure"),
        ({"a": {"accuracy": True}}, "none has a measure"),
    ],
)
def test_bad_candidates(candidates, message):
    with pytest.raises(ArgumentError, match=message):
        strategy.choose(candidates)


def test_two_of_the_same_name():
    twice = [{"name": "a", "accuracy": 1}, {"name": "a", "accuracy": 0}]
    with pytest.raises(DataError, match="two candidates are called 'a'"):
        strategy.choose(twice)


# CSV files ----------------------------------------------------------------------------


def test_a_csv_file(tmp_path):
    """S28: candidates of a table, as a spreadsheet writes it."""
    path = tmp_path / "models.csv"
    path.write_bytes(
        b"\xef\xbb\xbfoptimizer, accuracy ,latency_ms,Name\r\n"
        b"adam,0.9,80,A\r\nsgd,0.92,95,B\r\n\r\nadam,0.95,1500,C\r\nsgd,,1,D\r\n"
    )
    for table in (path, str(path)):
        choice = strategy.choose(table, limits=LIMIT)
        assert choice.best == "B"
        assert reasons(choice)["D"] == "no accuracy"
    with pytest.raises(ArgumentError, match="no candidate has 'optimizer'"):
        strategy.choose(path, "optimizer")


def test_the_first_column_names_a_row_where_none_says_so(tmp_path):
    path = tmp_path / "models.csv"
    path.write_text("epoch,val_loss\n1,0.5\n2,0.4\n3,0.6\n")
    assert strategy.choose(path, "val_loss").best == "2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no CSV file with a line of names"),
        ("name,accuracy\nA,1,2\n", "row 2: expected 2 cells, got 3"),
        ("name,accuracy\nA,1\nA,2\n", "two candidates are called 'A'"),
        ("name,accuracy,accuracy\nA,1,2\n", "two columns have the same name"),
        ("\0", "no CSV file|no candidates"),
    ],
)
def test_a_damaged_csv_file(tmp_path, text, message):
    path = tmp_path / "models.csv"
    path.write_text(text)
    with pytest.raises((DataError, ArgumentError), match=message):
        strategy.choose(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="no CSV file"):
        strategy.choose(path)
    with pytest.raises(DataError, match="no file"):
        strategy.choose(tmp_path / "missing.csv")


# Formulas -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 3),
        ("a - 0.5 * b", 1),
        ("-(a + b) / 2 - -1", -2.5),
        ("1e2 * a / b", 75),
        ("2", 2),
        (" a + b ", 7),
    ],
)
def test_formula(text, expected):
    formula = strategy.Formula(text)
    assert formula({"a": 3, "b": 4}) == expected
    assert str(formula) == text


def test_formula_without_a_value():
    assert math.isnan(strategy.Formula("a / b")({"a": 1, "b": 0}))
    assert strategy.Formula("a * a + b").names == ("a", "b")
    with pytest.raises(KeyError):
        strategy.Formula("a + c")({"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a +",
        "a ** 2",
        "a % 2",
        "a // 2",
        "a.b",
        "a[0]",
        "a if b else 1",
        "a and b",
        "a < b",
        "'a'",
        "True",
        "1j",
        "1e999",
        "9" * 400,
        "(a, b)",
        "[a for a in b]",
        "lambda: a",
        "exit()",
        "__import__('os').system('true')",
        "a := 1",
        "a\nb",
        "a; b",
        "a\0",
        "(" * 300 + "a" + ")" * 300,
        "a" * 501,
    ],
)
def test_formula_refuses_everything_else(text):
    """S28: nothing of it is ever run."""
    with pytest.raises(ArgumentError, match="formula"):
        strategy.Formula(text)
