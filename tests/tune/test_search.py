"""Searches in one process: methods, pruning, resuming, what goes wrong."""

import json
import math

import pytest

import fastdl
from fastdl import datasets, tune
from fastdl.errors import ArgumentError, FastdlError, NonFiniteError
from fastdl.train import Job
from fastdl.tune import Choice, Integer, Linear, Log

pytest.importorskip("optuna")
SPACE = {"x": Linear(0, 1), "units": Integer(1, 8), "fixed": 3}


def parabola(trial):
    return -((trial["x"] - 0.3) ** 2)


def from_below(trial):
    """A training whose score tends to x, told after each of nine epochs."""
    for epoch in range(1, 10):
        score = trial["x"] * epoch / 9
        if not trial.report(score, epoch):
            break
    return score


# Methods ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", tune.METHODS)
def test_s34_methods(method):
    """Grid, random, coarse to fine (S34), and TPE come near the best value."""
    result = tune.search(parabola, SPACE, trials=24, method=method)
    count = {"grid": 20}.get(method, 24)
    assert [trial.number for trial in result.trials] == list(range(count))
    assert {trial.state for trial in result.trials} == {"complete"}
    assert abs(result.best.params["x"] - 0.3) < 0.15
    assert result.best.score == max(trial.score for trial in result.trials)
    assert result.best.params["fixed"] == 3


@pytest.mark.parametrize("method", tune.METHODS)
def test_the_same_seed_finds_the_same(method):
    tables = [
        [
            (trial.params, trial.score)
            for trial in tune.search(
                parabola, SPACE, trials=18, method=method, seed=seed
            ).trials
        ]
        for seed in (0, 0, 1)
    ]
    assert tables[0] == tables[1] != tables[2]


def test_the_lowest_score_may_be_best():
    result = tune.search(lambda t: t["x"], {"x": Linear(0, 1)}, trials=5, mode="min")
    assert result.best.score == min(trial.score for trial in result.trials)


def test_choices_of_any_type():
    options = ("a", 2, 0.5, True, None)
    result = tune.search(
        lambda t: float(t["x"] == 2), {"x": Choice(*options)}, method="grid"
    )
    assert sorted(map(str, options)) == sorted(
        str(t.params["x"]) for t in result.trials
    )
    assert result.best_config == {"x": 2}


def test_tpe_with_fixed_values_and_choices():
    space = {"x": Log(1e-3, 1), "kind": Choice("a", "b"), "fixed": "yes"}
    result = tune.search(lambda t: -t["x"], space, trials=14, method="tpe")
    assert {t.params["fixed"] for t in result.trials} == {"yes"}
    assert {t.params["kind"] for t in result.trials} == {"a", "b"}


# Pruning ------------------------------------------------------------------------------


def test_the_median_rule_stops_what_is_behind():
    result = tune.search(from_below, {"x": Linear(0, 1)}, trials=20, pruner="median")
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    complete = [t for t in result.trials if t.state == "complete"]
    assert max(t.params["x"] for t in pruned) < result.best.params["x"]
    assert all(len(t.curve) < 9 for t in pruned)
    assert all(len(t.curve) == 9 for t in complete)
    assert "behind the others at step" in pruned[0].why
    # Five trials are waited for; the sixth ends after one step if it is below them.
    first = [trial.params["x"] for trial in result.trials[:5]]
    sixth = result.trials[5]
    assert (sixth.state == "pruned") == (sixth.params["x"] < sorted(first)[2])


def test_successive_halving_keeps_the_best_third():
    result = tune.search(from_below, {"x": Linear(0, 1)}, trials=27, pruner="halving")
    lengths = [len(trial.curve) for trial in result.trials]
    assert set(lengths) <= {1, 3, 9}
    assert lengths.count(1) > lengths.count(3) > 0
    assert result.best.params["x"] == max(t.params["x"] for t in result.trials)


def test_no_pruner_runs_all_to_the_end():
    result = tune.search(from_below, {"x": Linear(0, 1)}, trials=12, pruner=None)
    assert {len(trial.curve) for trial in result.trials} == {9}


@pytest.mark.parametrize(
    "outcome", [math.nan, math.inf, NonFiniteError("the loss is nan at epoch 1")]
)
def test_what_diverges_is_hopeless_and_no_error(outcome):
    def objective(trial):
        if trial["x"] < 0.5:
            return parabola(trial)
        if isinstance(outcome, Exception):
            raise outcome
        trial.report(outcome)
        return outcome

    result = tune.search(objective, {"x": Linear(0, 1)}, trials=12)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.params["x"] >= 0.5 for trial in pruned)
    assert str(outcome).removeprefix("the loss is ")[:3] in pruned[0].why


def test_a_trainer_reports_and_is_stopped():
    digits = datasets.load("digits")
    dev = (digits.train.x[:200], digits.train.y[:200])
    train = (digits.train.x[200:800], digits.train.y[200:800])
    rates = {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5, 5: 1e-9}

    def objective(trial):
        fastdl.manual_seed(0)
        trainer = fastdl.Trainer(
            fastdl.models.create("logistic"),
            optimizer=lambda p: fastdl.optim.SGD(p, lr=rates[trial.number]),
        )
        trainer.fit(*train, epochs=3, validation=dev, callbacks=[trial.callback()])
        return trainer.history["val_accuracy"][-1]

    result = tune.search(objective, {"x": Linear(0, 1)}, trials=6)
    assert [len(trial.curve) for trial in result.trials] == [3, 3, 3, 3, 3, 1]
    assert [trial.state for trial in result.trials] == ["complete"] * 5 + ["pruned"]


# Going on -----------------------------------------------------------------------------


def test_a_study_goes_on_where_it_was(tmp_path):
    class Stop(BaseException):
        pass

    calls = []

    def objective(trial):
        calls.append(trial.number)
        if len(calls) == 4:
            raise Stop
        return parabola(trial)

    arguments = {"trials": 8, "out": tmp_path / "a"}
    with pytest.raises(Stop):
        tune.search(objective, SPACE, **arguments)
    with pytest.raises(ArgumentError, match="there is a study 'search' already; go on"):
        tune.search(objective, SPACE, **arguments)
    result = tune.search(objective, SPACE, resume=True, **arguments)
    assert calls == [0, 1, 2, 3, 3, 4, 5, 6, 7]
    whole = tune.search(parabola, SPACE, trials=8)
    for mine, other in zip(result.trials, whole.trials, strict=True):
        assert (mine.params, mine.score) == (other.params, other.score)
    more = tune.search(objective, SPACE, resume=True, trials=10, out=tmp_path / "a")
    assert calls[9:] == [8, 9]
    assert more.table[:8] == result.table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "made with other seed: seed 0"),
        ({"method": "tpe", "seed": 1}, "made with other method and seed"),
        ({"mode": "min"}, "made with other mode"),
        ({"space": {"x": Linear(0, 2)}}, "made with other space"),
    ],
)
def test_another_search_does_not_go_on(tmp_path, change, message):
    given = {"space": SPACE, "trials": 2, "out": tmp_path}
    tune.search(parabola, **given)
    with pytest.raises(ArgumentError, match=message):
        tune.search(parabola, **(given | change), resume=True)


def test_a_grid_does_not_grow(tmp_path):
    given = {"space": SPACE, "method": "grid", "out": tmp_path}
    tune.search(parabola, trials=4, **given)
    with pytest.raises(ArgumentError, match="made with other trials: trials 4"):
        tune.search(parabola, trials=9, resume=True, **given)


def test_nothing_to_go_on_with(tmp_path):
    with pytest.raises(ArgumentError, match="no study 'search' to go on with"):
        tune.search(parabola, SPACE, out=tmp_path, resume=True)
    with pytest.raises(ArgumentError, match="resume needs a study that is kept"):
        tune.search(parabola, SPACE, resume=True)


def test_ctrl_c_frees_the_trial(tmp_path):
    def objective(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune.search(objective, SPACE, trials=2, out=tmp_path)
    result = tune.search(lambda t: 1.0, SPACE, trials=2, out=tmp_path / "b")
    assert len(result.trials) == 2


# Errors -------------------------------------------------------------------------------


def test_some_trials_may_fail():
    def objective(trial):
        if trial.number == 0:
            raise ValueError("such a pity")
        return parabola(trial)

    result = tune.search(objective, SPACE, trials=4)
    assert result.trials[0].state == "failed"
    assert result.table[0]["why"] == "ValueError: such a pity"
    assert result.table[0]["score"] is None
    assert result.best.number > 0


def test_when_all_fail_the_search_ends():
    calls = []

    def objective(trial):
        calls.append(trial.number)
        raise ValueError("no such thing")

    with pytest.raises(FastdlError, match=r"no trial succeeded; .*no such thing"):
        tune.search(objective, SPACE, trials=50)
    assert calls == [0, 1, 2]


def test_no_score_at_all():
    result = tune.search(lambda t: math.nan, SPACE, trials=2)
    with pytest.raises(FastdlError, match=r"no trial of 2 has a score; .*score is nan"):
        _ = result.best


def test_who_gives_up_needs_no_score():
    result = tune.search(lambda trial: trial.give_up("too slow"), SPACE, trials=2)
    assert [(each.state, each.why) for each in result.trials] == [
        ("pruned", "too slow"),
        ("pruned", "too slow"),
    ]


@pytest.mark.parametrize("score", [None, "high", (1, 2), 1j, 10**400])
def test_a_score_is_one_number(score):
    with pytest.raises(FastdlError, match="the objective must return one number"):
        tune.search(lambda trial: score, SPACE, trials=1)


def test_a_result_prints_the_best():
    result = tune.search(lambda t: t["units"], {"units": Choice(7)}, trials=2)
    assert str(result) == "2 trials: 2 complete\nbest: 7 of trial 0, units 7"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "search: jobs must be an integer >= 1"),
        ({"jobs": 2}, "several jobs needs a study that is kept; give out="),
        ({"method": "gird"}, "did you mean 'grid'"),
        ({"space": {}}, "expected hyperparameters by name"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(FastdlError, match=message):
        tune.search(parabola, **({"space": SPACE} | arguments))


def test_workers_cannot_import_a_lambda(tmp_path):
    with pytest.raises(ArgumentError, match=r"workers cannot import .*lambda"):
        tune.search(lambda t: 1.0, SPACE, jobs=2, out=tmp_path)


def test_a_name_that_a_trial_has_not():
    def objective(trial):
        return trial["unit"]

    with pytest.raises(FastdlError, match="no 'unit'; did you mean 'units'"):
        tune.search(objective, SPACE, trials=1)


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[tune\]"'):
        tune.search(parabola, SPACE)


def test_the_bar_tells_the_best_so_far(capsys):
    result = tune.search(parabola, SPACE, trials=3, progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert f"best {result.best.score:.4g} (trial {result.best.number})" in shown
    tune.search(parabola, SPACE, trials=3)
    assert capsys.readouterr().err == "", "no terminal, no bar"


# Results ------------------------------------------------------------------------------


def test_result_files(tmp_path):
    result = tune.search(parabola, SPACE, trials=3)
    result.save_best(tmp_path / "best.json")
    assert json.loads((tmp_path / "best.json").read_text()) == result.best.params
    result.write_csv(tmp_path / "trials.csv")
    lines = (tmp_path / "trials.csv").read_text().splitlines()
    assert lines[0] == "trial,state,score,x,units,fixed,seconds,why"
    assert float(lines[1].split(",")[3]) == result.trials[0].params["x"]


def test_importance_tells_what_matters():
    space = {"x": Linear(0, 1), "nothing": Linear(0, 1), "fixed": 1}
    result = tune.search(parabola, space, trials=30)
    importance = result.importance()
    assert list(importance) == ["x", "nothing"]
    assert importance["x"] > 0.7
    assert sum(importance.values()) == pytest.approx(1)
    assert tune.search(parabola, space, trials=9).importance() == {}
    assert tune.search(lambda t: 1.0, space, trials=12).importance() == {}


# Jobs ---------------------------------------------------------------------------------

JOB = Job.from_dict({"dataset": "digits", "model": "logistic", "examples": 300})
JOB_SPACE = {"lr": Log(1e-4, 1), "epochs": Integer(1, 3), "optimizer": "sgd"}


def test_a_job_is_trained_and_its_dev_score_decides():
    """Also S34: the best settings repeat the training to the bit."""
    result = tune.search(JOB, JOB_SPACE, trials=4, pruner=None)
    best = Job.from_dict(json.loads(json.dumps(result.best_config)))
    assert best == JOB.replace(**result.best.params)
    rows = best.fit(progress=False).history.rows
    curve = {row["epoch"]: row["val_accuracy"] for row in rows}
    assert curve == result.best.curve
    assert result.best.score == rows[-1]["val_accuracy"]


def test_with_patience_the_kept_weights_are_scored():
    job = JOB.replace(patience=1, epochs=30, lr=1.0, optimizer="sgd")
    result = tune.search(job, {"seed": Integer(0, 9)}, trials=1)
    trainer = job.replace(**result.best.params).fit(progress=False)
    parts = job.replace(**result.best.params).load()
    assert len(trainer.history) < 30
    assert trainer.evaluate(parts.dev)["accuracy"] == result.best.score


def test_the_lowest_loss_may_decide():
    result = tune.search(JOB, JOB_SPACE, trials=3, monitor="val_loss", pruner=None)
    assert result.plan.mode == "min"
    assert result.best.score == min(trial.score for trial in result.trials)


def test_another_optimiser_gets_its_usual_rate():
    space = {"optimizer": Choice("adam", "sgd"), "epochs": 1}
    result = tune.search(JOB, space, method="grid", trials=2)
    rates = {"adam": JOB.recipe.lr, "sgd": 0.1}
    assert result.best_config["lr"] == rates[result.best.params["optimizer"]]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rate": Log(1, 2)}, "unknown hyperparameter 'learning_rate'"),
        ({"bach_size": Integer(1, 2)}, "did you mean 'batch_size'"),
        ({"dataset": Choice("digits", "mnist")}, "unknown hyperparameter 'dataset'"),
        ({"momentum": Linear(0.5, 2)}, "momentum must be a number from 0 to below 1"),
        ({"epochs": Linear(1, 9)}, "recipe: epochs must be an integer"),
        ({"model": Choice("logistic", "lenet6")}, "unknown model 'lenet6'"),
        (
            {"optimizer": Choice("adam", "adagrad"), "momentum": Linear(0, 0.9)},
            "adagrad has no momentum",
        ),
    ],
)
def test_spaces_that_do_not_fit_a_job(space, message):
    with pytest.raises(FastdlError, match=message):
        tune.search(JOB, space)


def test_the_test_set_has_no_part(monkeypatch):
    with pytest.raises(ArgumentError, match="the dev set decides"):
        tune.search(JOB, JOB_SPACE, monitor="accuracy")
