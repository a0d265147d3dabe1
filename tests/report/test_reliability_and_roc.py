"""The reliability diagram and ROC curves (S27)."""

import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure
from matplotlib.text import Text

from fastdl import metrics, report
from fastdl.errors import ArgumentError, DataError, FastdlError

P = np.repeat([0.9, 0.3], 10)
Y = np.r_[np.ones(6, int), np.zeros(4, int), np.ones(5, int), np.zeros(5, int)]
CURVE = metrics.calibration_curve(Y, P, bins=10)
ROC = metrics.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
FIGURES = {
    "reliability": lambda: report.reliability_diagram(CURVE),
    "roc": lambda: report.roc_curve(ROC),
    "rocs": lambda: report.roc_curve({"$5": ROC, "b": ROC}),
}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_is_a_figure_without_pyplot(name, tmp_path):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert "matplotlib.pyplot" not in sys.modules
    report.save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURES)
def test_missing_matplotlib_tells_how_to_get_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[plot\]"'):
        FIGURES[name]()


def test_the_gaps_of_the_reliability_diagram():
    """S27: at 0.9 six of ten are right, at 0.3 five of ten."""
    figure = report.reliability_diagram(CURVE)
    above, below = figure.axes
    right, too_sure, not_enough = above.containers
    np.testing.assert_allclose([bar.get_height() for bar in right], [0.5, 0.6])
    np.testing.assert_allclose([bar.get_height() for bar in too_sure], [0, 0.3])
    np.testing.assert_allclose([bar.get_height() for bar in not_enough], [0.2, 0])
    np.testing.assert_allclose([bar.get_x() for bar in right], [0.2, 0.8])
    assert [bar.get_height() for bar in below.containers[0]] == [10, 10]
    assert "Calibration: off by 25.0% on average" in texts(figure)
    assert below.get_xlabel() == "confidence (mean 60.0%)"


@pytest.mark.parametrize("equal", ["width", "count"])
def test_a_single_answer(equal, tmp_path):
    curve = metrics.calibration_curve([1], [0.75], equal=equal)
    figure = report.reliability_diagram(curve)
    (right, _) = figure.axes[0].containers
    assert [bar.get_width() > 0 for bar in right] == [True]
    report.save_figure(figure, tmp_path / "one.png")


def test_roc_curves_have_their_area():
    """S27: one alone, or several by name."""
    alone = report.roc_curve(ROC)
    assert "ROC: area 0.7500" in texts(alone)
    chance, line = alone.axes[0].lines
    assert chance.get_label() == "chance"
    np.testing.assert_array_equal(line.get_xdata(), ROC.false_positive_rate)
    np.testing.assert_array_equal(line.get_ydata(), ROC.true_positive_rate)
    both = texts(report.roc_curve({"$5": ROC, "other": ROC}))
    assert "$5  area 0.7500" in both
    assert "other  area 0.7500" in both


def test_refused():
    with pytest.raises(ArgumentError, match="draws 1 to 6 curves, got 0"):
        report.roc_curve({})
    with pytest.raises(ArgumentError, match="got 7"):
        report.roc_curve(dict.fromkeys("abcdefg", ROC))
    with pytest.raises(DataError, match="no examples"):
        report.reliability_diagram(metrics.CalibrationError().curve())
