"""Which gap is the problem? The cases of the course, noise, bad input (S25, S26)."""

import math

import numpy as np
import pytest

from fastdl import strategy
from fastdl.errors import ArgumentError, ShapeError
from fastdl.strategy.diagnosis import SMALL
from fastdl.strategy.optimisation import Symptom

BIAS, VARIANCE = "avoidable bias", "variance"
MISMATCH, OVERFITTING = "data mismatch", "overfitting to dev"


@pytest.mark.parametrize(
    ("train", "dev", "human", "problems"),
    [
        (1, 11, 0, (VARIANCE,)),
        (15, 16, 0, (BIAS,)),
        (15, 30, 0, (BIAS, VARIANCE)),
        (0.5, 1, 0, ()),
        (15, 16, 15, ()),
    ],
)
def test_bias_and_variance_of_the_course(train, dev, human, problems):
    """S25, in per cent and in fractions."""
    found = strategy.diagnose(train=train, dev=dev, human=human, percent=True)
    assert found.problems == problems
    shares = {"train": train / 100, "dev": dev / 100, "human": human / 100}
    assert strategy.diagnose(**shares) == found


def test_table_of_the_course():
    """S26"""
    found = strategy.diagnose(human=4, train=7, train_dev=10, dev=12, test=12)
    assert {name: gap.size for name, gap in found.gaps.items()} == {
        BIAS: 0.03,
        VARIANCE: 0.03,
        MISMATCH: 0.02,
        OVERFITTING: 0,
    }
    assert found.problems == (BIAS, VARIANCE, MISMATCH)
    rows = [" ".join(line.split()) for line in str(found).split("\n\n")[0].splitlines()]
    assert rows == [
        "error gap",
        "human 4 %",
        "3 % avoidable bias <- 1",
        "train 7 %",
        "3 % variance <- 2",
        "train-dev 10 %",
        "2 % data mismatch <- 3",
        "dev 12 %",
        "0 % overfitting to dev",
        "test 12 %",
    ]
    assert found.summary() == (
        "human 4 %, train 7 %, train-dev 10 %, dev 12 %, test 12 %: the problem is "
        "avoidable bias, then variance, then data mismatch"
    )


@pytest.mark.parametrize(
    ("train", "train_dev", "dev", "problems"),
    [
        (1, 9, 10, (VARIANCE,)),
        (1, 1.5, 10, (MISMATCH,)),
        (10, 11, 12, (BIAS,)),
        (10, 11, 20, (BIAS, MISMATCH)),
    ],
)
def test_mismatch_of_the_course(train, train_dev, dev, problems):
    """S26"""
    found = strategy.diagnose(train=train, train_dev=train_dev, dev=dev)
    assert found.problems == problems


def test_largest_gap_first():
    found = strategy.diagnose(train=0.02, train_dev=0.05, dev=0.25, test=0.35)
    assert found.problems == (MISMATCH, OVERFITTING, VARIANCE, BIAS)


def test_without_train_dev_and_test_there_are_two_gaps():
    found = strategy.diagnose(train=0.02, dev=0.05)
    assert list(found.gaps) == [BIAS, VARIANCE]
    assert list(found.errors) == ["human", "train", "dev"]


def test_one_per_cent_or_all_of_them():
    """1 beside smaller errors is a fraction: every answer is wrong."""
    assert strategy.diagnose(train=0.5, dev=1).gaps[VARIANCE].size == 0.5
    per_cent = strategy.diagnose(train=0.5, dev=1, percent=True)
    assert per_cent.gaps[VARIANCE].size == 0.005
    assert strategy.diagnose(train=0.5, dev=1.5).gaps[VARIANCE].size == 0.01


def test_what_is_small_can_be_said():
    errors = {"train": 0.001, "dev": 0.005}
    assert strategy.diagnose(**errors).problems == ()
    assert strategy.diagnose(**errors, small=0.002).problems == (VARIANCE,)
    assert strategy.diagnose(train=SMALL, dev=2 * SMALL).problems == ()


# Noise


def test_a_gap_inside_the_noise_is_no_problem():
    errors = {"train": 0.01, "dev": 0.05}
    assert strategy.diagnose(**errors, examples=1000).problems == (VARIANCE,)
    few = strategy.diagnose(**errors, examples={"train": 1000, "dev": 20})
    assert few.problems == ()
    assert few.gaps[VARIANCE].low < 0 < few.gaps[VARIANCE].high
    assert "4 %  variance (-0." in few.table()


def test_interval_is_that_of_newcombe():
    """His table II: 56/70 - 48/80 and 10/10 - 0/20, method 10."""
    for (a, m), (b, n), low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ):
        gap = strategy.diagnose(
            train=b / n, dev=a / m, examples={"train": n, "dev": m}, percent=False
        ).gaps[VARIANCE]
        assert (round(gap.low, 4), round(gap.high, 4)) == (low, high)


def test_interval_covers_the_true_gap():
    rng = np.random.default_rng(0)
    train, dev, hits = 0.03, 0.1, 0
    for _ in range(300):
        found = strategy.diagnose(
            train=rng.binomial(500, train) / 500,
            dev=rng.binomial(200, dev) / 200,
            examples={"train": 500, "dev": 200},
        ).gaps[VARIANCE]
        hits += found.low <= dev - train <= found.high
    assert 0.92 <= hits / 300 <= 0.985


def test_people_count_as_exact_unless_their_examples_are_known():
    errors = {"human": 0.02, "train": 0.06, "dev": 0.07}
    exact = strategy.diagnose(**errors, examples=1000).gaps[BIAS]
    counted = strategy.diagnose(**errors, examples={"human": 50, "train": 1000})
    assert counted.gaps[BIAS].low < 0 < exact.low
    assert counted.gaps[VARIANCE].low is not None
    without = strategy.diagnose(**errors, examples={"human": 50})
    assert without.gaps[VARIANCE] == (0.01, None, None)


# What is said beside


def test_human_error_above_train_error_is_said():
    found = strategy.diagnose(human=0.05, train=0.01, dev=0.02)
    assert found.gaps[BIAS].size == -0.04
    assert found.problems == ()
    assert "training error 1 % is below the human error 5 %" in found.notes[0]
    assert found.notes[0] in str(found)
    assert "-4 %  avoidable bias" in found.table()


def test_dev_error_below_train_error_is_said():
    found = strategy.diagnose(train=0.2, dev=0.1, test=0.2)
    assert found.problems == (BIAS, OVERFITTING)
    assert "dev error is below the train error" in found.notes[0]
    within = strategy.diagnose(train=0.2, dev=0.1, test=0.2, examples=20)
    assert not within.notes


def test_a_bad_loss_curve_takes_the_place_of_bias():
    rough = Symptom("rate too high", "the loss does not settle")
    found = strategy.diagnose(train=0.2, dev=0.23, symptoms=[rough])
    assert found.problems == ("optimisation", VARIANCE)
    assert "20 %  avoidable bias  <- 1: optimisation" in found.table()
    assert found.notes == ("the loss does not settle",)
    assert found.remedies[0].changes == {"lr": 0.0001}
    assert BIAS not in {remedy.gap for remedy in found.remedies}


def test_a_bad_loss_curve_of_a_network_that_fits_is_nothing():
    rough = Symptom("rate too high", "the loss does not settle")
    assert strategy.diagnose(train=0.001, dev=0.01, symptoms=[rough]).problems == ()


def test_a_loss_that_still_falls_leaves_it_bias():
    falling = Symptom("still falling", "the loss fell by 50%")
    found = strategy.diagnose(train=0.2, dev=0.21, symptoms=[falling])
    assert found.problems == (BIAS,)
    assert found.remedies[0].name == "longer training"


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dev": -0.01}, "dev is -0.01; errors are from 0 to 1"),
        ({"dev": math.nan}, "dev is nan"),
        ({"dev": 101}, r"dev is 101; errors are from 0 to 100 \(per cent"),
        ({"dev": 1.5, "percent": False}, r"dev is 1.5; .* 0 to 1 \(fractions\)"),
        ({"human": -1, "dev": 12}, "human is -1"),
        ({"test": math.inf}, "test is inf"),
        ({"train": "1%"}, "train must be a number, got '1%'"),
        ({"train": True}, "train must be a number, got True"),
        ({"small": 2}, "small is a fraction from 0 to 1, got 2"),
        ({"examples": {"Dev": 3}}, "unknown set 'Dev'; did you mean 'dev'"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ArgumentError, match=message):
        strategy.diagnose(**{"train": 0.01, "dev": 0.02} | changes)


@pytest.mark.parametrize("examples", [0, -3, 1.5, {"dev": 0}])
def test_examples_are_counts(examples):
    with pytest.raises(ShapeError, match=r"examples of .* integer >= 1"):
        strategy.diagnose(train=0.01, dev=0.02, examples=examples)


def test_numpy_numbers_are_numbers():
    found = strategy.diagnose(
        train=np.float32(0.25), dev=np.float64(0.5), examples=np.int64(100)
    )
    assert found.problems == (BIAS, VARIANCE)
    assert type(found.errors["train"]) is float


def test_gaps_add_up():
    """From people to the test set nothing is lost and nothing counted twice."""
    rng = np.random.default_rng(0)
    for human, *others in rng.uniform(0, 1, (50, 5)):
        names = ("train", "train_dev", "dev", "test")
        found = strategy.diagnose(human=human, **dict(zip(names, others, strict=True)))
        sizes = [gap.size for gap in found.gaps.values()]
        assert sum(sizes) == pytest.approx(others[-1] - human, abs=1e-9)
        assert list(found.problems) == sorted(
            (name for name, gap in found.gaps.items() if gap.size > SMALL),
            key=lambda name: -found.gaps[name].size,
        )


def test_the_two_errors_that_are_needed():
    with pytest.raises(ArgumentError, match="the train error is needed, got None"):
        strategy.diagnose(train=None, dev=0.1)
    with pytest.raises(ArgumentError, match="the dev error is needed, got None"):
        strategy.diagnose(train=0.1, dev=None)
