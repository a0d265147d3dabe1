"""Corrected labels, with a log of who changed what to what (S30, S29)."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fastdl import strategy
from fastdl.data import ArrayDataset, Subset
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.files import read_tensors
from fastdl.strategy.corrections import Corrections

Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def data():
    return ArrayDataset(np.arange(12, dtype=np.uint8).reshape(6, 2), Y.copy())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "corrections.json"


def test_a_correction_is_kept_with_who_and_why(data, path):
    """S30: who changed what to what."""
    corrections = strategy.Corrections(data, path)
    assert len(corrections) == 0
    assert not path.exists()
    line = corrections.correct(1, 2, who="Ann Böe", why="a 2, upside down")
    assert (line.index, line.before, line.after) == (1, 1, 2)
    assert (line.who, line.why) == ("Ann Böe", "a 2, upside down")
    assert line.when.endswith("+00:00")
    again = Corrections(data, path)
    assert again.log == corrections.log == (line,)
    assert again.labels.tolist() == [0, 2, 2, 0, 1, 2]
    assert len(again) == 1


def test_a_file_that_would_be_too_large(data, path, monkeypatch):
    """It is refused before the correction counts; the size itself may be reached."""
    whole = Corrections(data, path)
    whole.correct(0, 1, "ann")
    size = path.stat().st_size
    for largest, fits in ((size, True), (size - 1, False)):
        path.unlink()
        monkeypatch.setattr("fastdl.strategy.corrections._LARGEST", largest)
        corrections = Corrections(data, path)
        if fits:
            corrections.correct(0, 1, "ann")
            continue
        with pytest.raises(DataError, match=f"would have more than {size - 1:,} bytes"):
            corrections.correct(0, 1, "ann")
        assert len(corrections) == 0
        assert not path.exists()


def test_the_corrected_data_set(data, path):
    """S29: the first one is not touched."""
    corrections = Corrections(data, path)
    corrections.correct(0, 1, "ann")
    corrected = corrections.apply()
    assert isinstance(corrected, ArrayDataset)
    assert corrected.y.tolist() == [1, 1, 2, 0, 1, 2]
    assert corrected.x is data.x
    np.testing.assert_array_equal(data.y, Y)


def test_the_corrected_data_set_is_saved_with_the_log(data, path, tmp_path):
    """S30."""
    corrections = Corrections(data, path)
    corrections.correct(0, 1, "ann", "blurred")
    corrections.save_dataset(tmp_path / "corrected.safetensors")
    arrays, texts = read_tensors(tmp_path / "corrected.safetensors")
    assert arrays["y"].tolist() == [1, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(arrays["x"], data.x)
    [line] = json.loads(texts["corrections"])
    assert (line["index"], line["before"], line["after"]) == (0, 0, 1)
    assert (line["who"], line["why"]) == ("ann", "blurred")


def test_undo_goes_back_step_by_step_and_stays_in_the_log(data, path):
    corrections = Corrections(data, path)
    corrections.correct(0, 1, "ann")
    corrections.correct(0, 2, "bob")
    corrections.correct(5, 0, "bob")
    corrections.undo("ann", "5 was right")
    assert corrections.labels.tolist() == [2, 1, 2, 0, 1, 2]
    corrections.undo("ann")
    assert corrections.labels.tolist() == [1, 1, 2, 0, 1, 2]
    corrections.correct(3, 1, "ann")
    corrections = Corrections(data, path)
    corrections.undo("ann")
    corrections.undo("ann")
    assert corrections.labels.tolist() == Y.tolist()
    assert len(corrections) == 0
    with pytest.raises(ArgumentError, match="no correction that still holds"):
        corrections.undo("ann")
    assert [line.undoes for line in Corrections(data, path).log] == [
        *(None, None, None, 2, 1, None, 5, 0)
    ]


def test_a_part_of_a_data_set(data, path):
    part = Subset(data, [4, 5])
    corrections = Corrections(part, path, classes=3)
    corrections.correct(0, 0, "ann")
    assert corrections.apply().y.tolist() == [0, 2]
    np.testing.assert_array_equal(corrections.apply().x, data.x[4:])
    with pytest.raises(DataError, match="other data"):
        Corrections(data, path)


def test_weights_stay(path):
    data = ArrayDataset(np.zeros((2, 1)), np.array([0, 1]), np.array([1.0, 2.0]))
    assert Corrections(data, path).apply().weight.tolist() == [1, 2]


@pytest.mark.parametrize("what", ["picture", "label", "one more"])
def test_a_log_of_other_data_is_refused(what, data, path):
    Corrections(data, path).correct(0, 1, "ann")
    before = path.read_bytes()
    x, y = data.x.copy(), Y.copy()
    if what == "picture":
        x[3, 1] += 1
    elif what == "label":
        y[3] = 1
    else:
        x, y = np.append(x, x[:1], axis=0), np.append(y, 0)
    with pytest.raises(DataError, match="corrections of other data: 6 examples, here"):
        Corrections(ArrayDataset(x, y), path)
    assert path.read_bytes() == before


def test_the_same_data_kept_otherwise_are_no_other_data(data, path):
    Corrections(data, path).correct(0, 1, "ann")
    twice = ArrayDataset(np.concatenate([data.x, data.x]), np.concatenate([Y, Y]))
    assert len(Corrections(Subset(twice, slice(6, 12)), path)) == 1


def entry(**changes):
    usual = {"index": 1, "before": 1, "after": 0, "who": "a", "why": "", "when": "now"}
    return usual | {"undoes": None} | changes


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: None,
        lambda content: [],
        lambda content: content | {"format": "1"},
        lambda content: content | {"data": 3},
        lambda content: content | {"log": [{"index": 1}]},
        lambda content: content | {"log": [entry(before=2)]},
        lambda content: content | {"log": [entry(after="<b>")]},
        lambda content: content | {"log": [entry(index=-1)]},
        lambda content: content | {"log": [entry(index=6)]},
        lambda content: content | {"log": [entry(undoes=4)]},
        lambda content: content | {"log": [entry(who=3)]},
        lambda content: content | {"log": [entry(), entry()]},
    ],
)
def test_a_damaged_log_is_kept_aside_and_refused(damage, data, path):
    Corrections(data, path).correct(0, 1, "ann")
    content = damage(json.loads(path.read_text()))
    text = path.read_text()[:40] if content is None else json.dumps(content)
    for number in (1, 2):
        path.write_text(text)
        kept = path.with_name(f"corrections.json.damaged-{number}")
        with pytest.raises(DataError, match=f"it is kept as .*{kept.name}"):
            Corrections(data, path)
        assert kept.read_text() == text
        assert not path.exists()
    assert Corrections(data, path).log == ()


def test_a_log_of_a_newer_fastdl_is_refused_and_not_touched(data, path):
    Corrections(data, path).correct(0, 1, "ann")
    text = json.dumps(json.loads(path.read_text()) | {"format": 2})
    path.write_text(text)
    with pytest.raises(DataError, match="newer fastdl"):
        Corrections(data, path)
    assert path.read_text() == text


def test_two_at_work_lose_nothing(data, path):
    """Each takes in first what the other has saved."""
    first, second = Corrections(data, path), Corrections(data, path)
    first.correct(0, 1, "ann")
    second.correct(1, 2, "bob")
    first.correct(2, 0, "ann")
    with pytest.raises(ArgumentError, match="example 1 has label 2 now"):
        first.correct(1, 2, "ann")
    assert [line.who for line in Corrections(data, path).log] == ["ann", "bob", "ann"]


SCRIPT = """
import sys
import numpy as np
from fastdl.strategy import Corrections

start = int(sys.argv[2])
data = np.zeros((90, 1)), np.arange(90) % 2
corrections = Corrections(data, sys.argv[1])
for index in range(start, start + 30):
    corrections.correct(index, 1 - index % 2, who=f"process {start}")
"""


def test_three_processes_lose_nothing(path):
    argv = [sys.executable, "-W", "error", "-c", SCRIPT, str(path)]
    started = [subprocess.Popen([*argv, str(start)]) for start in (0, 30, 60)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    corrections = Corrections((np.zeros((90, 1)), np.arange(90) % 2), path)
    assert len(corrections.log) == len(corrections) == 90


def test_what_cannot_be_written_is_no_correction(data, tmp_path):
    (tmp_path / "file").touch()
    corrections = Corrections(data, tmp_path / "file" / "corrections.json")
    with pytest.raises(OSError, match="file"):
        corrections.correct(0, 1, "ann")
    assert corrections.log == ()
    assert corrections.labels.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((6, 1, "ann"), ArgumentError, "there are 6 examples, got index 6"),
        ((-1, 1, "ann"), ShapeError, "index must be an integer >= 0"),
        ((1.0, 1, "ann"), ShapeError, "index must be an integer >= 0"),
        ((0, 3, "ann"), ArgumentError, "label from 0 to 2, got 3"),
        ((0, "2", "ann"), ShapeError, "label must be an integer"),
        ((0, 0, "ann"), ArgumentError, "example 0 has label 0 now"),
        ((0, 1, ""), ArgumentError, "who says so"),
        ((0, 1, " "), ArgumentError, "who says so"),
        ((0, 1, None), ArgumentError, "who must be a text"),
        ((0, 1, "ann", "x" * 1001), ArgumentError, "why must be a text of at most"),
    ],
)
def test_bad_arguments(arguments, error, message, data, path):
    with pytest.raises(error, match=message):
        Corrections(data, path).correct(*arguments)
    assert not path.exists()


def test_a_class_that_no_label_has_yet(data, path):
    assert Corrections(data, path, classes="abcd").correct(0, 3, "ann").after == 3
    with pytest.raises(ShapeError, match="classes"):
        Corrections(data, path, classes=0)


def test_a_log_of_more_classes_is_refused_and_not_touched(data, path):
    Corrections(data, path, classes=4).correct(0, 3, "ann")
    with pytest.raises(DataError, match="there are 3 classes; give classes=4 or more"):
        Corrections(data, path)
    assert len(Corrections(data, path, classes=4).log) == 1
    assert [each.name for each in path.parent.glob("*damaged*")] == []


def test_data_without_labels(path):
    with pytest.raises(DataError, match="Corrections needs integer labels"):
        Corrections(np.zeros((3, 1)), path)
