"""History, CSV log and progress lines."""

import csv
import math

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.train import Callback, CSVLog, History, Trainer

X = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
Y = np.arange(12) % 2


def trainer(**options):
    fastdl.manual_seed(0)
    return Trainer(nn.Sequential(nn.Linear(2, 2)), **options)


def history(*rows):
    result = History()
    result.rows.extend(rows)
    return result


# History ------------------------------------------------------------------------------


def test_columns_and_rows():
    some = history({"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "extra": 3.0})
    assert len(some) == 2
    assert some.columns == ["epoch", "loss", "extra"]
    assert some["loss"] == [2.0, 1.0]
    assert math.isnan(some["extra"][0])
    assert some["extra"][1] == 3.0


def test_by_columns_it_reads_like_a_dict():
    some = history({"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0})
    assert "loss" in some
    assert "val_loss" not in some
    assert list(some) == list(some.keys()) == ["epoch", "loss"]
    assert list(some.values()) == [[1, 2], [2.0, 1.0]]
    assert dict(some) == dict(some.items()) == {"epoch": [1, 2], "loss": [2.0, 1.0]}
    assert {**some} == dict(some)
    assert len(some) == 2  # epochs
    assert dict(History()) == {}


def test_unknown_column_gets_a_near_match():
    with pytest.raises(ArgumentError, match="'los'; did you mean 'loss'"):
        history({"epoch": 1, "loss": 2.0})["los"]


def test_repr_tells_the_last_epoch():
    assert repr(History()) == "History(0 epochs)"
    row = {"epoch": 1, "loss": 0.25, "examples_per_second": 1234.5, "seconds": 2.04}
    assert repr(history(row)) == (
        "History(1 epoch: loss 0.2500  1,234 examples/s  2.0 s)"
    )


def test_csv_keeps_every_digit_and_leaves_gaps_empty(tmp_path):
    some = history({"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "val_loss": 1e-300})
    some.write_csv(tmp_path / "log.csv")
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["loss"]) == 0.1 + 0.2
    assert float(rows[1]["val_loss"]) == 1e-300
    assert rows[0]["val_loss"] == rows[1]["loss"] == ""


# CSV log ------------------------------------------------------------------------------


def test_csv_log_is_complete_after_each_epoch(tmp_path):
    path = tmp_path / "new" / "metrics.csv"
    seen = []

    class Look(Callback):
        def on_epoch_end(self, trainer, row):
            seen.append(path.read_text())

    one = trainer()
    one.fit((X, Y), epochs=3, validation=(X, Y), callbacks=[CSVLog(path), Look()])
    header, *rows = seen[-1].splitlines()
    assert header == (
        "epoch,loss,accuracy,val_loss,val_accuracy,examples_per_second,seconds"
    )
    assert [float(row.split(",")[1]) for row in rows] == one.history["loss"]
    assert seen[0].splitlines() == [header, rows[0]]
    assert seen[1].splitlines() == [header, *rows[:2]]
    assert [file.name for file in path.parent.iterdir()] == ["metrics.csv"]


def test_csv_log_holds_all_calls_of_fit(tmp_path):
    one, log = trainer(), CSVLog(tmp_path / "metrics.csv")
    one.fit((X, Y), callbacks=[log])
    one.fit((X, Y), callbacks=[log])
    assert len(log.path.read_text().splitlines()) == 3


# Progress -----------------------------------------------------------------------------


def test_one_line_an_epoch_and_no_bar_without_a_terminal(capsys):
    trainer().fit((X, Y), epochs=11, validation=(X, Y), progress=True)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 11
    assert lines[0].startswith("epoch  1/11  loss ")
    assert lines[-1].startswith("epoch 11/11  loss ")
    for word in ("accuracy", "val_loss", "val_accuracy", "examples/s"):
        assert word in lines[0]


def test_quiet_by_default_without_a_terminal(capsys):
    trainer().fit((X, Y))
    assert capsys.readouterr() == ("", "")


def test_lines_go_on_when_fit_is_called_again(capsys):
    one = trainer()
    one.fit((X, Y), epochs=2)
    one.fit((X, Y), progress=True)
    assert capsys.readouterr().err.startswith("epoch 3/3")


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    trainer().fit((X, Y), batch_size=4)
    err = capsys.readouterr().err
    assert "epoch 1/1:" in err
    assert "0/3" in err
    assert err.splitlines()[-1].lstrip("\r ").startswith("epoch 1/1  loss")


def test_bar_is_closed_after_an_error(monkeypatch, capsys):
    class Fails(Callback):
        def on_batch_end(self, trainer, step):
            raise RuntimeError("broken")

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(RuntimeError, match="broken"):
        trainer().fit((X, Y), callbacks=[Fails()])
    assert capsys.readouterr().err.endswith("\r")
