"""The picture of errors against the number of examples (S25)."""

import numpy as np
import pytest

from fastdl import report
from fastdl.strategy import DataCurve

SIZES = np.array([100, 200, 400, 800])


def test_errors_law_and_band():
    """S25"""
    errors = 0.02 + 2 * SIZES**-0.6
    curve = DataCurve(SIZES, errors / 2, errors, 500)
    figure = report.data_curve(curve, wanted=0.04)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(
        lines["dev error"].get_xydata(), np.stack([SIZES, errors], 1)
    )
    np.testing.assert_array_equal(lines["training error"].get_ydata(), errors / 2)
    x, y = lines["law of the dev error"].get_xydata().T
    assert x[-1] == pytest.approx(4 * SIZES[-1])
    np.testing.assert_allclose(y, 0.02 + 2 * x**-0.6, rtol=1e-3)
    assert set(lines["wanted: 4.00%"].get_ydata()) == {0.04}
    (band,) = axes.collections
    low, high = band.get_paths()[0].get_extents().intervaly
    assert low < y.min() < y.max() < high
    assert (axes.get_xlabel(), axes.get_xscale()) == ("training examples", "log")
    assert "would help" in figure.get_suptitle()


def test_little_help_is_said():
    curve = DataCurve(SIZES, [0] * 4, [0.1] * 4, 500)
    assert "help little" in report.data_curve(curve).get_suptitle()
