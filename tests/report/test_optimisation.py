"""Figures of optimisation: paths over a surface, the learning-rate range (S15, S18)."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fastdl import report
from fastdl.errors import ArgumentError, DataError, ShapeError


def saddle(w1, w2):
    return w1**2 - w2**2


PATHS = {
    "short": [(1.0, 0.1), (0.5, 0.2)],
    "long": np.array([(1.0, 0.1), (0.2, 0.4), (0.0, 1.0)]),
}


def test_paths_and_values():
    """S18: a saddle, and how far the function falls."""
    figure = report.optimizer_paths(saddle, PATHS, title="Saddle")
    assert isinstance(figure, Figure)
    surface, values = figure.axes
    assert (surface.get_xlabel(), surface.get_ylabel()) == ("w1", "w2")
    drawn = [line.get_xydata().tolist() for line in surface.lines]
    for path in PATHS.values():
        assert np.asarray(path).tolist() in drawn
    for line, (name, path) in zip(values.lines, PATHS.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_allclose(line.get_ydata(), saddle(*np.transpose(path)))
    assert len({line.get_linestyle() for line in values.lines}) == 2
    assert surface.collections, "contour lines"
    (left, right), (bottom, top) = surface.get_xlim(), surface.get_ylim()
    assert left < 0 < 1 < right
    assert bottom < 0.1 < 1 < top


def test_limits_are_kept_and_a_plane_is_no_mistake():
    limits = ((-2.0, 2.0), (-1.0, 1.0))
    figure = report.optimizer_paths(lambda a, b: 0 * a, {"here": [(0, 0)]}, limits)
    assert (figure.axes[0].get_xlim(), figure.axes[0].get_ylim()) == limits


@pytest.mark.parametrize(
    ("function", "paths", "error", "message"),
    [
        (None, PATHS, ArgumentError, "must be callable, got None"),
        (saddle, {}, ArgumentError, "1 to 6 paths, got 0"),
        (saddle, {name: [(0, 0)] for name in "abcdefg"}, ArgumentError, "got 7"),
        (saddle, {"sgd": [1, 2]}, ShapeError, r"'sgd' must .* got \(2,\)"),
        (saddle, {"sgd": [(0, 0), (np.inf, 0)]}, DataError, "'sgd' .* from step 1"),
        (lambda a, b: 1.0, PATHS, ShapeError, r"keep the shape .* gave \(\)"),
    ],
    ids=["function", "no path", "many", "shape", "infinity", "constant"],
)
def test_paths_refuse(function, paths, error, message):
    with pytest.raises(error, match=message):
        report.optimizer_paths(function, paths)


def falling_then_exploding(rates):
    """Return losses that fall fastest at 0.01 and explode above 1."""
    return 2 - 1.5 / (1 + (0.01 / rates) ** 2) + np.exp(rates) * (rates > 1)


def test_learning_rate_curve_marks_the_steepest_fall():
    """S15: a range test of the learning rate."""
    rates = np.geomspace(1e-5, 5, 2000)
    losses = falling_then_exploding(rates)
    losses[-3:] = np.nan, np.inf, np.nan
    figure = report.learning_rate_curve(rates, losses)
    (axes,) = figure.axes
    raw, smooth, best = axes.lines
    assert axes.get_xscale() == "log"
    assert len(raw.get_xdata()) == len(smooth.get_xdata()) == 1997
    assert best.get_xdata()[0] == pytest.approx(0.01, rel=0.2)
    assert axes.get_ylim()[1] < losses[1990], "the explosion is cut off"


@pytest.mark.parametrize(
    ("rates", "losses", "error", "message"),
    [
        ([0.1], [1], ShapeError, r"shapes \(1,\) and \(1,\)"),
        ([0.1, 0.2], [1], ShapeError, r"shapes \(2,\) and \(1,\)"),
        ([0, 0.2], [1, 2], DataError, "above 0, and grow"),
        ([0.2, 0.1], [1, 2], DataError, "above 0, and grow"),
        ([0.1, np.nan], [1, 2], DataError, "above 0, and grow"),
        ([0.1, 0.2], [1, np.nan], DataError, "fewer than two losses"),
    ],
    ids=["one", "lengths", "zero", "falling", "NaN rate", "NaN losses"],
)
def test_learning_rate_curve_refuses(rates, losses, error, message):
    with pytest.raises(error, match=message):
        report.learning_rate_curve(rates, losses)
