"""Figures of a search (S34): history, slices, parallel coordinates, importance."""

import pytest

from fastdl import report, tune
from fastdl.errors import DataError
from fastdl.report.search import ticks
from fastdl.tune import Choice, Integer, Linear, Log, OneMinusLog

pytest.importorskip("optuna")
SPACE = {
    "lr": Log(1e-4, 1),
    "beta": OneMinusLog(0.9, 0.999),
    "size": Choice(16, 32),
    "fixed": "adam",
}


def objective(trial):
    if trial.number == 7:
        return -1000.0
    for epoch in (1, 2):
        if not trial.report(SPACE["lr"].position(trial["lr"]) * epoch / 2, epoch):
            break
    return SPACE["lr"].position(trial["lr"])


@pytest.fixture(scope="module")
def result():
    return tune.search(objective, SPACE, trials=30)


def test_history(result):
    axes = report.search_history(result).axes[0]
    (line,) = axes.lines
    assert line.get_ydata()[-1] == result.best.score
    assert line.get_xdata().tolist() == list(range(30))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["stopped early", "complete", "best", "best so far"]
    low, high = axes.get_ylim()
    assert -10 < low < high < 1.5, "a score that is far worse spoils no axis"
    drawn = sum(len(points.get_offsets()) for points in axes.collections)
    assert drawn == 30 + 1, "all trials, and the best once more"


def test_slices_stand_on_the_scales(result):
    figure = report.search_slices(result)
    lr, beta, size = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["lr", "beta", "size"]
    score = report.search_history(result).axes[0].get_ylabel()
    assert [axes.get_ylabel() for axes in figure.axes] == [score, "", ""]
    for axes, labels in (
        (lr, ["0.0001", "0.001", "0.01", "0.1", "1"]),
        (beta, ["0.9", "0.99", "0.999"]),
        (size, ["16", "32"]),
    ):
        assert [text.get_text() for text in axes.get_xticklabels()] == labels
    assert lr.get_xticks() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    best = next(c for c in lr.collections if c.get_label() == "best")
    position = SPACE["lr"].position(result.best.params["lr"])
    assert best.get_offsets()[0][0] == pytest.approx(position)


def test_parallel_coordinates(result):
    axes = report.search_parallel(result).axes[0]
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == ["lr", "beta", "size", "score"]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(lines) == 30
    assert lines[-1].get_linewidth() > lines[0].get_linewidth()
    params = result.best.params
    heights = [SPACE[name].position(params[name]) for name in names[:3]]
    assert lines[-1].get_ydata()[:3] == pytest.approx(heights)


def test_importance():
    result = tune.search(objective, SPACE, trials=20, pruner=None)
    axes = report.search_importance(result).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert sorted(names) == ["beta", "lr", "size"]
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(1)


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (Linear(0, 0.3), ["0", "0.1", "0.2", "0.3"]),
        (Integer(1, 3), ["1", "2", "3"]),
        (Log(2e-3, 5e-3), ["0.002", "0.005"]),
        (Log(1e-12, 1), ["1e-12", "1e-09", "1e-06", "0.001", "1"]),
        (OneMinusLog(0.5, 0.8), ["0.5", "0.8"]),
        (Choice("a", None), ["a", "None"]),
    ],
)
def test_ticks(scale, labels):
    places, shown = ticks(scale)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert sorted(shown) == sorted(labels)


def test_the_lowest_score_may_be_best():
    result = tune.search(
        lambda t: t["x"] ** 2, {"x": Linear(0, 1)}, trials=12, mode="min"
    )
    axes = report.search_history(result).axes[0]
    assert axes.lines[0].get_ydata()[-1] == result.best.score
    low, high = axes.get_ylim()
    assert low < result.best.score < high
    worst = max(trial.score for trial in result.trials)
    margin = 0.04 * (worst - result.best.score)
    assert low == pytest.approx(result.best.score - margin)
    assert result.best.score + margin < high <= worst + 1.001 * margin


@pytest.mark.parametrize(
    "draw",
    [
        report.search_history,
        report.search_slices,
        report.search_parallel,
        report.search_importance,
    ],
)
def test_nothing_to_draw(draw):
    nothing = tune.search(lambda t: float("nan"), {"x": Linear(0, 1)}, trials=2)
    with pytest.raises(DataError, match=draw.__name__):
        draw(nothing)


def test_equal_scores_and_a_single_trial():
    for trials in (1, 3):
        result = tune.search(lambda t: 0.5, {"x": Linear(0, 1)}, trials=trials)
        for draw in (
            report.search_history,
            report.search_slices,
            report.search_parallel,
        ):
            assert draw(result).axes


def test_nothing_was_searched():
    result = tune.search(lambda t: 0.5, {"x": 1}, trials=1)
    with pytest.raises(DataError, match="no hyperparameter has more than one value"):
        report.search_slices(result)
