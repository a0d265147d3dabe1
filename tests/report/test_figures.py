"""The figures: what they show, and what they refuse."""

import itertools
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from fastdl import report
from fastdl.errors import ArgumentError, DataError, FastdlError, ShapeError
from fastdl.train import History


def history(epochs=3, validation=True):
    result = History()
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch}
        if validation:
            row |= {"val_loss": 1.1 / epoch, "val_accuracy": 0.9 - 0.5 / epoch}
        row |= {"examples_per_second": 1000.0, "seconds": 0.5}
        result.rows.append(row)
    return result


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


X = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
#                       right, wrong .7, right, wrong .9, right, wrong .5
ANSWERS = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.7, 0.2, 0.1],
        [0.0, 0.1, 0.9],
        [0.05, 0.9, 0.05],
        [0.1, 0.8, 0.1],
        [0.1, 0.5, 0.4],
    ]
)
NAMES = ("cat", "dog", "$5")  # a dollar is no formula

FIGURES = {
    "curves": lambda: report.learning_curves(history()),
    "confusion": lambda: report.confusion_matrix(np.eye(3, dtype=int), NAMES),
    "mistakes": lambda: report.mistakes(X, LABELS, ANSWERS, NAMES),
}


# All of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_is_a_figure_without_pyplot(name):
    settings = ("text.color", "axes.spines.top", "text.parse_math")
    before = [mpl.rcParams[key] for key in settings]
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert "matplotlib.pyplot" not in sys.modules
    assert [mpl.rcParams[key] for key in settings] == before


@pytest.mark.parametrize("name", FIGURES)
def test_is_saved_as_png(name, tmp_path):
    path = tmp_path / "new" / "figure.png"
    report.save_figure(FIGURES[name](), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(path.parent.iterdir()) == [path]


def test_only_png_is_saved(tmp_path):
    figure = report.learning_curves(history())
    for name in ("a.jpg", "a.png.svg"):
        with pytest.raises(ArgumentError, match=rf"end in \.png, got '{name}'"):
            report.save_figure(figure, tmp_path / name)
    assert not list(tmp_path.iterdir())
    report.save_figure(figure, tmp_path / "lr0.01")
    assert [path.name for path in tmp_path.iterdir()] == ["lr0.01"]
    for name in ("a", "a.PNG"):
        report.save_figure(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURES)
def test_missing_matplotlib_tells_how_to_get_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[plot\]"'):
        FIGURES[name]()


# Learning curves ----------------------------------------------------------------------


def test_classes_in_any_script(tmp_path):
    figure = report.confusion_matrix(np.eye(2, dtype=int), ["猫", "собака"])
    report.save_figure(figure, tmp_path / "a.png")  # a warning would be an error here


def test_curves_have_a_panel_for_each_measure():
    figure = report.learning_curves(history(3))
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        assert axes.get_xlabel() == "epoch"
        training, validation = axes.lines
        assert training.get_label() == "training"
        assert validation.get_label() == "validation"
        assert training.get_xdata().tolist() == [1, 2, 3]
        assert training.get_ydata().tolist() == history(3)[name]
        assert validation.get_ydata().tolist() == history(3)[f"val_{name}"]
        assert training.get_linestyle() != validation.get_linestyle()
    assert "Learning curves" in texts(figure)


def test_curves_without_validation_and_of_one_epoch():
    figure = report.learning_curves(history(1, validation=False))
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]
    ticks = [tick for tick in figure.axes[0].get_xticks() if 0.5 <= tick <= 1.5]
    assert ticks == [1]


def test_the_learning_rate_is_the_last_panel():
    """S15: what a schedule did stands beside the loss."""
    measured = history(4)
    for row in measured.rows:
        row["learning_rate"] = 0.1 ** row["epoch"]
    figure = report.learning_curves(measured)
    *_, axes = figure.axes
    assert axes.get_ylabel() == "learning rate"
    assert axes.get_yscale() == "log"
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.01, 0.001, 0.0001])
    for row in measured.rows:
        row["learning_rate"] = 0.1
    assert report.learning_curves(measured).axes[-1].get_yscale() == "linear"


def test_many_measures_go_into_several_rows():
    measured = history(2)
    for row in measured.rows:
        row |= {"error_rate": 0.5, "top_3": 0.9}
    panels = [axes for axes in report.learning_curves(measured).axes if axes.lines]
    assert len(panels) == 4
    tops = {round(axes.get_subplotspec().rowspan.start) for axes in panels}
    assert tops == {0, 1}


def test_many_epochs_have_no_marks():
    (line, _), _ = (axes.lines for axes in report.learning_curves(history(31)).axes)
    assert line.get_marker() == "None"


def test_curves_of_nothing():
    with pytest.raises(DataError, match="no epoch"):
        report.learning_curves(History())


# Confusion matrix ---------------------------------------------------------------------


def test_confusion_matrix_shows_counts_and_recalls():
    matrix = [[8, 2, 0], [0, 1000, 0], [0, 0, 0]]
    figure = report.confusion_matrix(matrix, NAMES)
    shown = texts(figure)
    axes = figure.axes[0]
    assert "Confusion matrix: 1,008 of 1,010 right (99.8%)" in shown
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
    cells = {text.get_text(): text.get_position() for text in axes.texts}
    assert cells["8"] == (0, 0)
    assert cells["2"] == (1, 0)  # x is the column, the answer
    assert cells["1,000"] == (1, 1)
    assert "0" not in cells
    for recall in ("80.0%", "100.0%", "0.0%"):
        assert recall in cells


def test_confusion_matrix_marks_mistakes_in_another_colour():
    matrix = np.array([[90, 9, 1], [0, 100, 0], [0, 0, 100]])
    figure = report.confusion_matrix(matrix, NAMES)
    colours = np.asarray(figure.axes[0].images[0].get_array())
    red, blue = colours[..., 0], colours[..., 2]
    assert blue[1, 1] > red[1, 1]
    assert red[0, 1] > blue[0, 1]
    assert colours[0, 1].sum() < colours[0, 2].sum() < colours[1, 0].sum()


def test_confusion_matrix_of_many_classes_has_no_numbers():
    names = [f"class {i}" for i in range(40)]
    figure = report.confusion_matrix(np.eye(40, dtype=int), names)
    assert not figure.axes[0].texts
    assert len(figure.axes[0].get_yticklabels()) <= 30


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.eye(2), ShapeError, r"\(3, 3\) for 3 classes, got \(2, 2\)"),
        (np.ones(3), ShapeError, r"got \(3,\)"),
        (np.zeros((3, 3), int), DataError, "no example"),
    ],
    ids=["too small", "a row", "zeros"],
)
def test_confusion_matrix_refuses(matrix, error, message):
    with pytest.raises(error, match=message):
        report.confusion_matrix(matrix, NAMES)


# Mistakes -----------------------------------------------------------------------------


def pictures(figure):
    return [axes for axes in figure.axes if axes.images]


def test_mistakes_come_with_the_surest_first():
    figure = report.mistakes(X, LABELS, ANSWERS, NAMES)
    shown = pictures(figure)
    assert [axes.get_title() for axes in shown] == ["cat", "dog", "$5"]
    assert [axes.get_xlabel() for axes in shown] == [
        "dog  90%",
        "cat  70%",
        "dog  50%",
    ]
    for axes, index in zip(shown, (3, 1, 5), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), X[index, ..., 0])
    assert "Mistakes: 3 of 6" in texts(figure)


def test_no_more_than_count_are_shown():
    assert len(pictures(report.mistakes(X, LABELS, ANSWERS, NAMES, count=2))) == 2


def test_no_mistakes():
    figure = report.mistakes(X, LABELS, np.eye(3)[LABELS], NAMES)
    assert not figure.axes
    assert "Mistakes: 0 of 6" in texts(figure)
    assert "every answer is right" in texts(figure)


def test_long_names_of_classes_stay_apart():
    names = [f"Fußgänger mit langem Namen {i}" for i in range(3)]
    x, labels, answers = (np.concatenate([each] * 9) for each in (X, LABELS, ANSWERS))
    figure = report.mistakes(x, labels, answers, names)
    figure.draw_without_rendering()
    row = pictures(figure)[:5]
    for words in ([axes.title for axes in row], [axes.xaxis.label for axes in row]):
        boxes = [each.get_window_extent() for each in words]
        for left, right in itertools.pairwise(boxes):
            assert left.x1 < right.x0
    assert row[0].get_xlabel() == "Fußgänger m…  90%"


@pytest.mark.parametrize("answers", [8 * ANSWERS, ANSWERS - 1, ANSWERS * np.nan])
def test_mistakes_take_probabilities_alone(answers):
    with pytest.raises(ArgumentError, match=r"in \[0, 1\], got .*probabilities=True"):
        report.mistakes(X, LABELS, answers, NAMES)


def test_uint8_colours_and_other_ranges():
    uint8 = (X.repeat(3, axis=-1) * 255).astype(np.uint8)
    shown = pictures(report.mistakes(uint8, LABELS, ANSWERS, NAMES))[0]
    np.testing.assert_array_equal(
        shown.images[0].get_array(), uint8[3] / np.float32(255)
    )
    for x in (X * 4 - 2, np.full_like(X, -3)):
        for axes in pictures(report.mistakes(x, LABELS, ANSWERS, NAMES)):
            values = axes.images[0].get_array()
            assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize(
    ("x", "y", "p", "message"),
    [
        (X[..., 0], LABELS, ANSWERS, r"\(m, h, w, 1\).*got \(6, 8, 8\)"),
        (X.repeat(2, axis=-1), LABELS, ANSWERS, r"got \(6, 8, 8, 2\)"),
        (X, LABELS[:5], ANSWERS, r"got \(5,\) and \(6, 3\)"),
        (X, LABELS, ANSWERS[:, :2], r"got \(6,\) and \(6, 2\)"),
        ((X, X), LABELS, ANSWERS, "got "),
    ],
    ids=["no channels", "two channels", "labels", "classes", "two inputs"],
)
def test_mistakes_refuse(x, y, p, message):
    with pytest.raises(ShapeError, match=message):
        report.mistakes(x, y, p, NAMES)
