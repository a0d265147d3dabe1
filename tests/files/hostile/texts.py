"""What reads settings, logs and tables, and mutants of them."""

import io
import json
import warnings
from contextlib import contextmanager, redirect_stderr

import numpy as np

import fastdl
from fastdl import nn, optim, strategy, train, tune
from fastdl.errors import FastdlError
from fastdl.files import parse_json, read_settings
from fastdl.strategy import runs
from fastdl.strategy.tags import Tags
from fastdl.tune import unsent
from fastdl.tune.plan import Plan
from fastdl.tune.result import SearchResult
from fastdl.tune.storage import open_storage
from fastdl.tune.study import Study
from tests.files.hostile import mutate

M = 12
X = np.random.default_rng(0).integers(0, 256, (M, 4, 4, 1), np.uint8)
Y = np.arange(M) % 2
JOB = {
    "dataset": "digits", "model": "mlp", "epochs": 3, "batch_size": 8, "lr": 0.01,
    "optimizer": "adam", "schedule": "cosine", "momentum": 0.9, "weight_decay": 0.1,
    "label_smoothing": 0.1, "dropout": None, "seed": 3, "size": [8, 8], "examples": 99,
    "patience": 2, "data_dir": None, "pretrained": None, "lazy": False,
    "augment": {"flip": 0.5, "translate": 0.5}, "model_options": {"hidden": [5, 4]},
}  # fmt: skip
RECIPE = """\
dataset = "digits"
model = "mlp"
epochs = 20
batch_size = 64
optimizer = "adam"
lr = 0.003
schedule = "cosine"
momentum = 0.9
weight_decay = 0.01
label_smoothing = 0.1

[augment]
flip = 0.5
translate = 0.6

[model_options]
hidden = [25, 12]
"""
SPACE = """\
lr = {log = [1e-4, 1.0]}
momentum = {one_minus_log = [0.9, 0.999]}
epochs = {integer = [5, 20]}
label_smoothing = {linear = [0.0, 0.2]}
batch_size = {choice = [32, 64, 128]}
optimizer = "momentum"
"""
CANDIDATES = "name,accuracy,seconds,note\na,0.9,3,x\nb,0.95,80,\nc,0.99,2000,slow\n"


def parabola(trial):
    return -((trial["lr"] - 0.3) ** 2)


class _Gone(FastdlError):
    """What was kept of a run is not used, so it would be measured again."""


class _Run:
    """A run of which all but its folder is gone."""

    def __init__(self, folder):
        self.folder = folder

    def __getattr__(self, name):
        raise _Gone(name)


class Texts:
    """For each format a file that is whole, and what reads a mutant of it."""

    guarded = ()
    slow = ()
    never_raise = ("control_file", "run_measures")

    def __init__(self, folder):
        self.path = folder / "file"
        self.run = train.RunFolder(folder / "run")
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        self.run.write_config(JOB | {"classes": ["a", "b"], "input_shape": [4, 4, 1]})
        self.run.save_model(model)
        self.metrics = (
            "epoch,loss,accuracy,val_loss,examples_per_second,seconds\n"
            "1,0.9,0.5,0.8,100.0,1.5\n2,0.5,0.75,,101.0,1.5\n"
        )
        errors = {"train": 0.01, "dev": 0.1, "test": 0.12}
        runs.keep(
            self.run,
            "errors",
            {
                "errors": errors,
                "examples": dict.fromkeys(errors, 100),
                "symptoms": [],
                "available": None,
            },
        )
        curve = {"sizes": [4, 8], "train": [[0.1], [0.1]], "dev": [[0.3], [0.2]],
                 "dev_examples": 12, "seed": 0}  # fmt: skip
        runs.keep(self.run, "data_curve", curve)
        self.measures = json.loads(self.run.measures.read_text())

        answers = np.full((M, 2), 0.5)
        self.analysis = strategy.ErrorAnalysis(X, Y, answers, ("cat", "=dog"))
        self.analysis.tag([1, 3], "blurry", "=1+1")
        self.tags = json.loads(json.dumps(self.analysis.tags.to_dict()))
        self.exported = self.analysis.to_csv()

        log = folder / "corrections.json"
        corrections = strategy.Corrections((X, Y), log)
        corrections.correct(3, 0, "ann", "why")
        corrections.correct(4, 1, "ann")
        corrections.undo("bob")
        self.log = json.loads(log.read_text())

        self.labels = {
            "format": 1, "kind": "random", "dataset": "digits", "classes": ["a", "b"],
            "part": "all", "folds": 4, "seed": 0, "noise_rate": 0.1, "p_value": 0.01,
            "pairs": [{"true": 0, "given": 1, "share": 0.1, "examples": 3.0,
                       "p_value": 0.01}],
            "suspects": [
                {"part": "train", "index": 1, "given": 1, "suggested": 0, "score": 0.9}
            ],
            "sample": [],
        }  # fmt: skip
        self.outcome = {"state": "complete", "score": 0.5, "seconds": 1.0}

        found = tune.search(
            parabola,
            tune.Space({"lr": tune.Log(1e-3, 1.0), "optimizer": "adam"}),
            trials=3,
            out=folder / "study",
        )
        self.plan = found.plan
        self.journal = folder / "study" / "study.journal"
        self.journal_lines = self.journal.read_text().splitlines()
        self.rates = train.ManualRate(self.path)
        self.learner = fastdl.Trainer(model, optimizer=optim.SGD(model.parameters()))

    def put(self, content):
        self.path.write_bytes(content)
        return self.path

    @contextmanager
    def nothing_aside(self):
        """Remove what a reader has kept of a damaged file."""
        try:
            yield
        finally:
            for kept in self.path.parent.glob("*.damaged-*"):
                kept.unlink()

    # Each method reads one mutant.

    def run_config(self, rng):
        config = JOB | {"classes": ["a", "b"], "input_shape": [4, 4, 1]}
        self.run.config.write_bytes(mutate.json_text(config, rng))
        opened = train.open_run(self.run.path)
        opened.job  # noqa: B018

    def run_history(self, rng):
        train.History.read_csv(self.put(mutate.csv(self.metrics, rng)))

    def run_measures(self, rng):
        text = mutate.json_text(self.measures, rng)
        self.run.measures.write_bytes(text)
        for again in (runs.measure_run, runs.learning_curve_run):
            try:
                again(_Run(self.run))
            except _Gone:
                continue

    def control_file(self, rng):
        text = mutate.json_text({"learning_rate": 0.01}, rng)
        self.put(text)
        with redirect_stderr(io.StringIO()):
            self.rates.on_epoch_begin(self.learner, 1)

    def recipe(self, rng):
        train.read_recipe(self.put(mutate.toml(RECIPE, rng)))

    def job_in_toml(self, rng):
        path = self.put(mutate.toml(f"seed = 3\n{RECIPE}", rng))
        train.Job.from_dict(read_settings(path))

    def job_in_json(self, rng):
        path = self.put(mutate.json_text(JOB, rng))
        train.Job.from_dict(read_settings(path))

    def search_space(self, rng):
        space = tune.read_space(self.put(mutate.toml(SPACE, rng)))
        space.draw(np.random.default_rng(0))

    def search_plan(self, rng):
        plan = {
            "objective": {"function": "a:b"},
            "space": {"lr": {"log": [1e-4, 1.0]}, "optimizer": {"choice": ["adam"]}},
            "trials": 9,
            "method": rng.choice(("random", "grid", "tpe", "coarse_to_fine")),
            "pruner": "median",
            "seed": 0,
            "mode": "max",
        }
        text = mutate.json_text(plan, rng)
        Plan.from_json(parse_json(text, "a study"), "a study")

    def search_journal(self, rng):
        lines = [line.encode() for line in self.journal_lines]
        number = rng.randrange(len(lines))
        lines[number] = mutate.json_text(json.loads(lines[number]), rng)
        self.journal.write_bytes(b"\n".join(lines) + b"\n")
        result = SearchResult(Study(open_storage(str(self.journal)), "search"))
        result.best  # noqa: B018

    def search_outcome(self, rng):
        for old in self.path.parent.glob("unsent-*.json"):
            old.unlink()
        path = self.path.with_name("unsent-0.json")
        study = Study(open_storage(None), "another", self.plan)
        outcome = self.outcome | {"own": study.claim("a worker").id}
        path.write_bytes(mutate.json_text(outcome, rng))
        unsent.deliver(study, self.path.parent)
        study.look()

    def tags_file(self, rng):
        self.put(mutate.json_text(self.tags, rng))
        with warnings.catch_warnings(), self.nothing_aside():
            warnings.simplefilter("ignore")
            Tags(self.analysis.tags.examples, self.path)

    def tags_to_restore(self, rng):
        is_csv = rng.random() < 0.5
        content = (
            mutate.csv(self.exported, rng)
            if is_csv
            else mutate.json_text(self.tags, rng)
        )
        self.analysis.take(content, is_csv, "a file")
        self.analysis.to_csv()
        self.analysis.to_json()

    def corrections(self, rng):
        self.put(mutate.json_text(self.log, rng))
        with self.nothing_aside():
            found = strategy.Corrections((X, Y), self.path)
        assert found.labels.max() < 2

    def suspect_labels(self, rng):
        self.path.with_name("labels.json").write_bytes(
            mutate.json_text(self.labels, rng)
        )
        found = strategy.read_suspects(self.path.parent)
        str(found)

    def candidates(self, rng):
        path = self.path.with_suffix(".csv")
        path.write_bytes(mutate.csv(CANDIDATES, rng))
        strategy.choose(path, "accuracy", {"seconds": 100})

    def settings_bytes(self, rng):
        """Neither JSON nor TOML by its name."""
        text = json.dumps(JOB) if rng.random() < 0.5 else RECIPE
        train.Job.from_dict(read_settings(self.put(mutate.content(text.encode(), rng))))
