"""Spaces: the scales of S34, grids, TOML, and what is wrong with a range."""

import math

import numpy as np
import pytest

from fastdl.errors import ArgumentError, DataError
from fastdl.tune import Choice, Integer, Linear, Log, OneMinusLog, Space, read_space

SCALES = [
    Linear(-1, 3),
    Integer(2, 9),
    Log(1e-4, 1),
    OneMinusLog(0.9, 0.999),
    Choice("sgd", 3, None, True),
]


def draws(scale, count=4000):
    rng = np.random.default_rng(0)
    return [Space({"x": scale}).draw(rng)["x"] for _ in range(count)]


# Scales -------------------------------------------------------------------------------


def test_s34_log_gives_a_quarter_to_each_decade():
    """alpha = 10^r, r in [-4, 0] (S34)."""
    scale = Log(1e-4, 1)
    edges = [scale.value(quarter / 4) for quarter in range(5)]
    np.testing.assert_allclose(edges, [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-14)
    counts, _ = np.histogram(draws(scale), bins=[1e-4, 1e-3, 1e-2, 1e-1, 1])
    sigma = math.sqrt(4000 * 0.25 * 0.75)
    assert (abs(counts - 1000) < 4 * sigma).all()


def test_s34_linear_gives_most_to_the_last_decade():
    """What the logarithmic scale of S34 is for."""
    values = draws(Linear(1e-4, 1))
    assert np.mean(np.array(values) > 0.1) == pytest.approx(0.9, abs=0.02)


def test_s34_one_minus_log():
    """beta = 1 - 10^r, r in [-3, -1] (S34)."""
    scale = OneMinusLog(0.9, 0.999)
    for r in np.linspace(-3, -1, 9):
        position = (-1 - r) / 2
        assert scale.value(position) == pytest.approx(1 - 10**r, rel=1e-14)
    below = np.mean(np.array(draws(scale)) < 0.99)
    assert below == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 4000))


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_positions_are_the_inverse_of_values(scale):
    for position in np.linspace(0, 1, 23):
        value = scale.value(position)
        if isinstance(scale, Linear | Log | OneMinusLog):
            assert scale.position(value) == pytest.approx(position, abs=1e-12)
        else:
            assert scale.value(scale.position(value)) == value


@pytest.mark.parametrize("scale", SCALES[:-1], ids=repr)
def test_values_stay_within_the_range(scale):
    values = [scale.value(position) for position in (0, 1e-300, 0.5, 1 - 1e-16, 1)]
    assert values == sorted(values)
    assert values[0] == scale.low
    assert values[-1] == scale.high


@pytest.mark.parametrize("scale", [Integer(0, 3), Choice("a", "b", "c", "d")], ids=repr)
def test_all_values_are_equally_likely(scale):
    _, counts = np.unique(draws(scale), return_counts=True)
    assert len(counts) == 4
    assert (abs(counts - 1000) < 4 * math.sqrt(4000 * 0.25 * 0.75)).all()


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_what_a_study_stores_is_what_was_drawn(scale):
    pytest.importorskip("optuna")
    for value in draws(scale, 200):
        stored = scale.stored(value)
        assert scale.distribution()._contains(
            scale.distribution().to_internal_repr(stored)
        )
        assert scale.stored(stored) == value
    assert scale.stored_name("beta") == (
        "1 - beta" if isinstance(scale, OneMinusLog) else "beta"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(2, 1), "Linear: low must be below high, got 2 and 1"),
        (lambda: Linear(1, 1), "low must be below high"),
        (lambda: Linear(0, math.inf), "expected finite numbers, got inf"),
        (lambda: Linear("0", 1), "expected finite numbers, got '0'"),
        (lambda: Linear(False, 1), "expected finite numbers, got False"),
        (lambda: Integer(1, 2.5), "Integer: expected integers, got 2.5"),
        (lambda: Integer(5, 2), "Integer: low must be below high"),
        (lambda: Log(0, 1), "Log: the logarithm needs numbers above 0, got 0.0"),
        (lambda: Log(-1, 1), "numbers above 0, got -1.0"),
        (lambda: Log(1, 0.1), "Log: low must be below high"),
        (lambda: OneMinusLog(0.9, 1), "OneMinusLog: .* numbers below 1, got 1.0"),
        (lambda: Choice(), "Choice: expected one option at least"),
        (lambda: Choice(["a", "b"]), r"write Choice\(\*options\)"),
        (lambda: Choice("a", "a"), "two options are equal"),
        (lambda: Choice(1, True), "two options are equal"),
        (lambda: Choice(math.nan), "NaN is equal to nothing"),
        (lambda: Linear(-1e308, 1e308), "Linear: -1e.308 to 1e.308 is too wide"),
        (lambda: Space({}), "expected hyperparameters by name"),
    ],
)
def test_wrong_ranges(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_numbers_of_numpy_are_numbers():
    assert Linear(np.float32(0.5), np.int64(2)) == Linear(0.5, 2)
    assert Integer(np.int64(1), np.uint8(3)) == Integer(1, 3)


def test_scales_compare_and_print():
    assert Log(1e-4, 1) == Log(1e-4, 1.0) != Linear(1e-4, 1)
    assert repr(Choice("a", 2)) == "Choice('a', 2)"
    assert len({Log(1, 2), Log(1, 2), Linear(1, 2)}) == 2


# Space --------------------------------------------------------------------------------


def test_fixed_values_are_drawn_too():
    space = Space({"lr": Log(1e-4, 1), "units": Integer(1, 8), "fixed": 3})
    params = space.draw(np.random.default_rng(0))
    assert list(params) == ["lr", "units", "fixed"]
    assert params["fixed"] == 3
    assert space.searched == ["lr", "units"]


@pytest.mark.parametrize(
    ("scale", "good", "part"),
    [
        (Linear(0, 1), [0.4, 0.6], Linear(0.35, 0.65)),
        (Linear(0, 1), [0.5], Linear(0.45, 0.55)),
        (Linear(0, 1), [0.0, 1.0], Linear(0, 1)),
        (Integer(0, 100), [40, 60, 50], Integer(35, 65)),
        (Integer(1, 4), [2], Integer(1, 3)),
        (Integer(1, 2), [2], Integer(1, 2)),
        (Choice("a", "b", "c"), ["c", "a", "c"], Choice("a", "c")),
        (Choice("a"), ["a"], Choice("a")),
    ],
)
def test_zoom(scale, good, part):
    zoomed = scale.zoomed(good)
    if isinstance(part, Linear):
        assert (zoomed.low, zoomed.high) == pytest.approx((part.low, part.high))
    else:
        assert zoomed == part


def test_zoom_on_logarithmic_scales():
    zoomed = Log(1e-4, 1).zoomed([1e-3, 1e-2])
    assert math.log10(zoomed.low) == pytest.approx(-3.25)
    assert math.log10(zoomed.high) == pytest.approx(-1.75)
    zoomed = OneMinusLog(0.9, 0.999).zoomed([0.99])
    assert math.log10(1 - zoomed.low) == pytest.approx(-1.9)
    assert math.log10(1 - zoomed.high) == pytest.approx(-2.1)


@pytest.mark.parametrize(
    ("scales", "trials", "points"),
    [
        ({"a": Linear(0, 1), "b": Linear(0, 1)}, 25, 25),
        ({"a": Linear(0, 1), "b": Linear(0, 1)}, 24, 20),
        ({"a": Linear(0, 1), "b": Choice(1, 2, 3)}, 8, 6),
        ({"a": Integer(1, 3), "b": Integer(1, 2)}, 100, 6),
        ({"a": Linear(0, 1)}, 1, 1),
    ],
)
def test_a_grid_uses_up_the_trials(scales, trials, points):
    grid = Space(scales).grid(trials)
    assert len(grid) == points
    assert len({tuple(point.items()) for point in grid}) == points


def test_a_grid_lies_on_the_scale():
    values = [point["lr"] for point in Space({"lr": Log(1e-4, 1)}).grid(5)]
    np.testing.assert_allclose(values, [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-12)


def test_a_grid_of_millions_is_refused_before_it_is_made():
    space = Space({"lr": Log(1e-4, 1)})
    with pytest.raises(ArgumentError, match="at most 100,000 points, got 1000000000"):
        space.grid(10**9)


def test_a_grid_that_is_too_large():
    with pytest.raises(ArgumentError, match="has 9 points, more than 8 trials"):
        Space({"a": Choice(1, 2, 3), "b": Choice(1, 2, 3)}).grid(8)


def test_unknown_names_get_near_ones():
    with pytest.raises(ArgumentError, match="'bach_size'; did you mean 'batch_size'"):
        Space({"bach_size": Choice(1, 2)}).check_names(["lr", "batch_size"])


# TOML ---------------------------------------------------------------------------------


def test_toml(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        """
        lr = {log = [1e-4, 1.0]}
        momentum = {one_minus_log = [0.9, 0.999]}
        epochs = {integer = [5, 20]}
        batch_size = {choice = [32, 64, 128]}
        optimizer = "momentum"
        [label_smoothing]
        linear = [0, 0.2]
        """
    )
    space = read_space(path)
    assert dict(space) == {
        "lr": Log(1e-4, 1),
        "momentum": OneMinusLog(0.9, 0.999),
        "epochs": Integer(5, 20),
        "batch_size": Choice(32, 64, 128),
        "optimizer": Choice("momentum"),
        "label_smoothing": Linear(0, 0.2),
    }
    assert Space.from_json(space.to_json()) == space


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("lr = {logg = [1, 2]}", ArgumentError, "lr: unknown scale 'logg'.*'log'"),
        ("lr = {log = [2, 1]}", ArgumentError, "lr: Log: low must be below high"),
        ("lr = {log = [0, 1]}", ArgumentError, "lr: Log: the logarithm needs"),
        ("lr = {log = [1]}", ArgumentError, r"log takes \[low, high\]"),
        ("lr = {log = 1}", ArgumentError, r"log takes \[low, high\]"),
        ("lr = [1, 2]", ArgumentError, "lr: expected a range such as"),
        ("lr = {log = [1, 2], linear = [1, 2]}", ArgumentError, "expected a range"),
        ("lr = {}", ArgumentError, "expected a range"),
        ("x = {choice = []}", ArgumentError, "x: Choice: expected one option"),
        ("x = {choice = 3}", ArgumentError, "choice takes a list of options"),
        ("x = 2026-01-01", ArgumentError, "options are texts, numbers"),
        ("", ArgumentError, "expected hyperparameters"),
        ("lr = ", DataError, "is no TOML"),
        ("lr = \x00", DataError, "is no TOML"),
    ],
)
def test_wrong_toml(tmp_path, text, error, message):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_space(path)
    with pytest.raises(error, match=r"space\.toml"):
        read_space(path)


def test_missing_toml(tmp_path):
    with pytest.raises(DataError, match=r"no file .*space\.toml"):
        read_space(tmp_path / "space.toml")


def test_numbers_of_numpy():
    assert Linear(np.float32(0.5), np.int64(2)) == Linear(0.5, 2)
    assert Choice(np.int64(3), np.float32(0.5), np.str_("a")).options == (3, 0.5, "a")


def test_a_file_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "space.toml"
    path.write_bytes(b"\xef\xbb\xbflr = {log = [1e-4, 1.0]}\n")
    assert read_space(path) == {"lr": Log(1e-4, 1)}
