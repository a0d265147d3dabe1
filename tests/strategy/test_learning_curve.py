"""Would more data help? Growing training sets and the law of their errors (S25)."""

import math

import numpy as np
import pytest

import fastdl
from fastdl import data, datasets, strategy
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.strategy.learning_curve import DataCurve, learning_curve
from fastdl.strategy.power_law import fit_power_laws

SIZES = np.array([100, 200, 400, 800, 1600, 3200])


def curve_of(law, noise=0.0, seed=0, examples=1_000_000):
    a, b, c = law
    errors = a + b * SIZES.astype(float) ** -c
    if noise:
        errors = np.random.default_rng(seed).binomial(examples, errors) / examples
    return DataCurve(SIZES, 0 * errors, errors, examples, seed)


@pytest.mark.parametrize("law", [(0.02, 2.0, 0.6), (0, 1.5, 0.5), (0.1, 20, 1.2)])
def test_a_law_is_found_again(law):
    curve = curve_of(law)
    assert curve.law == pytest.approx(law, abs=1e-6)
    a, b, c = law
    for size in (3200, 10_000):
        assert curve.expected(size).value == pytest.approx(a + b * size**-c)
    wanted = a + b * 7000**-c
    assert curve.needed(wanted).value == pytest.approx(7000, rel=1e-3)


def test_more_data_help_or_not():
    """S25: the remedy of variance, measured."""
    falling, flat = curve_of((0.01, 2, 0.5)), curve_of((0.2, 2, 1.5))
    assert falling.helps
    assert not flat.helps
    assert falling.summary().startswith("more data would help: with 3,200 training")
    assert flat.summary(0.1).endswith(
        "a dev error of 10 % is out of reach by more data of this kind"
    )
    assert "5 % is out of reach" not in falling.summary(0.03)
    assert "a dev error of 3 % needs about 10,0" in falling.summary(0.03)


def test_sizes_from_one_example():
    curve = curve_of((0.01, 2, 0.5))
    assert curve.expected(1).value == pytest.approx(1)  # no error is above
    with pytest.raises(ArgumentError, match=r"from 1, got 0\.9"):
        curve.expected(0.9)


def test_how_many_examples_a_wanted_error_needs(monkeypatch):
    curve = curve_of((0.02, 2.0, 0.6))
    needed = {0.03: (900.0, 800.0, 1000.0), 0.021: (9000.0, 8000.0, math.inf)}
    monkeypatch.setattr(DataCurve, "needed", lambda self, error: needed[error])
    assert curve.summary(0.03).endswith("about 900 training examples (800 to 1,000)")
    assert curve.summary(0.021).endswith("examples (8,000 or more)")


def test_what_helps_is_a_tenth_less_at_twice_the_size():
    for rate, helps in ((0.15, False), (0.175, True)):  # 9.9 and 11.4 % less
        curve = curve_of((0, 0.5, rate))
        assert curve.law == pytest.approx((0, 0.5, rate), abs=1e-3)
        assert curve.helps is helps


def test_intervals_hold_the_truth():
    a, b, c = law = (0.02, 2.0, 0.6)
    hits = 0
    for seed in range(60):
        low, high = curve_of(law, True, seed, 2000).expected(6400)[1:]
        hits += low <= a + b * 6400**-c <= high
    assert hits >= 54


def test_fewer_dev_examples_say_less():
    few, many = (curve_of((0.02, 2, 0.6), examples=n) for n in (200, 20_000))
    for ask in (lambda c: c.expected(6400), lambda c: c.needed(0.04)):
        wide, narrow = ask(few), ask(many)
        assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high


def test_the_same_seed_gives_the_same_intervals():
    one, two = (curve_of((0.02, 2, 0.6), examples=300) for _ in range(2))
    assert one.expected(9000) == two.expected(9000)
    assert one.needed(0.03) == two.needed(0.03)


def test_errors_that_do_not_fall():
    """A law that rises or has a floor below 0 is none: the border fits best."""
    rising = DataCurve(SIZES, SIZES * 0, np.linspace(0.1, 0.2, 6), 500)
    a, b, _ = rising.law
    assert b == 0
    assert 0.1 < a < 0.2
    assert not rising.helps


def test_a_law_that_is_far_above_the_last_error():
    """More data help, but not from 35 % to 39 %: the summary says why it says so."""
    luck = [0.767, 0.901, 0.55, 0.613, 0.565, 0.348]
    lucky = DataCurve(SIZES, SIZES * 0, np.array(luck), 382)
    assert lucky.expected(2 * SIZES[-1]).value > luck[-1]
    assert lucky.helps
    assert "3,200 examples, more than was measured" in lucky.summary()
    assert "rough" not in curve_of((0.01, 2, 0.5)).summary()


def test_errors_that_are_all_0():
    nothing = DataCurve(SIZES, SIZES * 0, SIZES * 0.0, 500)
    assert nothing.expected(10_000).value == 0
    assert not nothing.helps
    assert math.isfinite(nothing.expected(10_000).high)


def test_fit_is_the_least_of_squares():
    """Beside a plain search over all three numbers."""
    rng = np.random.default_rng(1)
    errors, spread = rng.uniform(0.05, 0.3, (5, 6)), rng.uniform(0.01, 0.03, 6)
    laws = fit_power_laws(SIZES, errors, spread)

    def costs(a, b, c):
        residual = errors - a - b * SIZES.astype(float) ** -c
        return (residual**2 / spread**2).sum(axis=1)

    best = costs(*laws.T[..., np.newaxis])
    for _ in range(3000):
        a, b, c = rng.uniform(0, 0.3), 10 ** rng.uniform(-3, 3), rng.uniform(0.05, 2)
        assert (best <= costs(a, b, c) + 1e-3 * best).all()


@pytest.mark.parametrize(
    ("sizes", "dev", "message"),
    [
        ([1, 2], [0.1, 0.1], "at least three sizes"),
        ([1, 2, 3], [0.1, 0.1], "at least three sizes"),
        ([3, 2, 1], [0.1, 0.1, 0.1], "sizes must grow"),
        ([0, 2, 3], [0.1, 0.1, 0.1], "sizes must grow from 1"),
        ([1, 2, 3], [0.1, 0.1, 1.1], "fractions from 0 to 1"),
        ([1, 2, 3], [0.1, 0.1, math.nan], "fractions from 0 to 1"),
    ],
)
def test_bad_curves(sizes, dev, message):
    with pytest.raises(DataError, match=message):
        DataCurve(sizes, np.zeros(len(dev)), dev, 100)


@pytest.mark.parametrize("error", [0, 1, -0.1, math.nan])
def test_wanted_error_is_a_fraction(error):
    with pytest.raises(ArgumentError, match="fraction between 0 and 1"):
        curve_of((0.02, 2, 0.6)).needed(error)


# Training


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def fit(part, seed):
    fastdl.manual_seed(seed)
    trainer = fastdl.Trainer(fastdl.models.create("logistic"))
    trainer.fit(part, epochs=3, seed=seed)
    return trainer


def test_errors_of_growing_parts(digits):
    """S25"""
    curve = learning_curve(fit, digits.train, digits.test)
    assert curve.sizes.tolist() == [119, 238, 477, 955, 1911, 3823]
    assert curve.dev[0] > 2 * curve.dev[-1]
    assert curve.dev_examples == 1797
    assert curve.helps
    whole = strategy.measure(fit(digits.train, 0), train=digits.train, dev=digits.test)
    assert (curve.train[-1], curve.dev[-1]) == tuple(whole.errors.values())
    table = str(curve).splitlines()
    assert table[0].split() == ["examples", "train", "dev", "law"]
    assert [line.split()[0] for line in table[2:5]] == ["119", "238", "477"]


def test_parts_hold_the_smaller_ones_and_each_class(digits):
    seen = []

    def watch(part, seed):
        seen.append((seed, part))
        return fit(part, seed)

    small = data.Subset(digits.train, range(400))
    curve = learning_curve(watch, small, digits.test, [20, 60, 100], repeats=2, seed=5)
    assert [(seed, len(part)) for seed, part in seen] == [
        *((5, 20), (5, 60), (5, 100), (6, 20), (6, 60), (6, 100)),
    ]
    sets = [set(part.indices.tolist()) for _, part in seen]
    assert sets[0] < sets[1] < sets[2]
    assert sets[0] != sets[3]
    for size, (_, part) in zip([20, 60, 100], seen, strict=False):
        share = np.bincount(part.y, minlength=10) / size
        whole = np.bincount(small.y, minlength=10) / 400
        assert abs(share - whole).max() <= 1.01 / size
    errors = [strategy.measure(fit(p, s), train=p, dev=digits.test) for s, p in seen]
    dev = np.array([found.errors["dev"] for found in errors]).reshape(2, 3)
    assert curve.dev.tolist() == pytest.approx(dev.mean(axis=0))


def test_bad_arguments(digits):
    train, test = digits.train, digits.test
    with pytest.raises(ArgumentError, match="fit must return a Trainer, got None"):
        learning_curve(lambda part, seed: None, train, test)
    for sizes in ([10, 20], [20, 10, 30], [10, 20, 4000], [10, 10, 20]):
        with pytest.raises(ArgumentError, match="grow up to 3823"):
            learning_curve(fit, train, test, sizes)
    with pytest.raises(DataError, match="3 training examples are too few"):
        learning_curve(fit, (train.x[:3], train.y[:3]), test)
    for options in ({"repeats": 0}, {"seed": -1}, {"sizes": [0, 1, 2]}):
        with pytest.raises(ShapeError, match=r"learning_curve: .* integer"):
            learning_curve(fit, train, test, **options)


@pytest.mark.parametrize("wrong", ["a", None, float("nan"), 0, -1, math.inf])
def test_no_size_and_no_error(wrong):
    curve = curve_of((0, 0.5, 0.3))
    with pytest.raises(ArgumentError, match="expected: the size is a number"):
        curve.expected(wrong)
    if wrong is not None:
        with pytest.raises(ArgumentError, match="needed: the error is a fraction"):
            curve.summary(wrong)


def test_what_cannot_train_is_refused_at_once():
    examples = np.zeros((20, 1)), np.arange(20) % 2
    with pytest.raises(ArgumentError, match=r"fit must be a function fit\(part, seed"):
        learning_curve(None, examples, examples)
    with pytest.raises(ShapeError, match="DataCurve: seed"):
        DataCurve([1, 2, 4], [0, 0, 0], [0.3, 0.2, 0.1], 100, seed=-1)
