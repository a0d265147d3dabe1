"""Error analysis (S29): which mistakes cost what, and tags that are never lost."""

import csv
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastdl.errors import ArgumentError, DataError, DtypeError, FastdlError, ShapeError
from fastdl.strategy import ErrorAnalysis
from fastdl.strategy.tags import CATEGORIES

CLASSES = ("cat", "dog", "bird")
LABELS = "incorrectly labelled"


def analysis_of(m=100, wrong=10, tags=None, seed=0, **options):
    """Return an analysis of m examples of which the first `wrong` are wrong."""
    rng = np.random.default_rng(seed)
    x = rng.random((m, 4, 4, 1), np.float32)
    y_true = np.arange(m) % 3
    answer = np.where(np.arange(m) < wrong, (y_true + 1) % 3, y_true)
    probabilities = np.full((m, 3), 0.1)
    probabilities[np.arange(m), answer] = 0.8
    return ErrorAnalysis(x, y_true, probabilities, CLASSES, tags=tags, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tags.json"


# The worked numbers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m", "wrong", "labels", "share", "due", "left"),
    [
        (1000, 100, 6, 0.06, 0.006, 0.094),  # error 10 %, 6 % of it labels
        (1000, 20, 6, 0.30, 0.006, 0.014),  # at 2 % the same 0.6 % is 30 %
    ],
)
def test_the_books_numbers(m, wrong, labels, share, due, left):
    """S29: 6 % wrong labels of an error of 10 % are 0.6 %; of 2 % they are 30 %."""
    analysis = analysis_of(m, wrong)
    analysis.tag(range(labels), LABELS)
    analysis.tag(range(labels, wrong), "blurred")
    row = next(row for row in analysis.ceilings() if row.category == LABELS)
    assert analysis.error == wrong / m
    assert (row.errors, row.share, row.due, row.left) == (labels, share, due, left)
    text = str(analysis)
    (line,) = re.findall(rf"^{LABELS} +(.*)$", text, re.M)
    cells = f"{labels} {100 * share:g} % {100 * due:g} % {100 * left:g} %"
    assert " ".join(line.split()) == cells
    assert "estimates" not in text  # all mistakes were looked at


def test_several_tags_each_and_shares_of_what_was_looked_at():
    """S29: an example may be in several categories; the rest is estimated."""
    analysis = analysis_of(100, 10)
    analysis.tag([0, 1], "blurred", LABELS)
    analysis.tag([2, 3], "other")
    assert analysis.tags.of(0) == (LABELS, "blurred")
    assert analysis.counts() == dict.fromkeys(CATEGORIES, 0) | {
        LABELS: 2,
        "blurred": 2,
        "other": 2,
    }
    assert analysis.examined == 4
    row = analysis.ceilings()[0]
    assert (row.share, row.due, row.left) == (0.5, 0.05, 0.05)
    assert "estimates from 4 of 10 mistakes" in str(analysis)


def test_tags_of_right_answers_count_apart():
    """S29: a sample of the examples that were right is looked at too."""
    analysis = analysis_of(100, 10)
    analysis.tag([3, 50, 51], LABELS)
    row = analysis.ceilings()[0]
    assert (row.errors, row.right, row.share) == (1, 2, 1.0)


def test_nothing_tagged_and_nothing_wrong():
    for wrong in (0, 10):
        analysis = analysis_of(100, wrong)
        assert all(row.due == 0 for row in analysis.ceilings())
        assert all(row.left == 0 for row in analysis.ceilings()) == (wrong == 0)
        assert f"{wrong} of 100 wrong" in str(analysis)
    assert analysis_of(100, 100).error == 1


# The examples -------------------------------------------------------------------------


def test_loss_confidence_and_orders():
    y_true = [0, 0, 1, 1]
    probabilities = [[0.9, 0.1], [0.4, 0.6], [1.0, 0.0], [0.7, 0.3]]
    analysis = ErrorAnalysis(np.zeros((4, 2)), y_true, probabilities, ("a", "b"))
    assert analysis.wrong.tolist() == [False, True, True, True]
    np.testing.assert_allclose(analysis.confidence, [0.9, 0.6, 1.0, 0.7])
    np.testing.assert_allclose(analysis.loss[[0, 1, 3]], -np.log([0.9, 0.4, 0.3]))
    assert 744 < analysis.loss[2] < 746
    assert analysis.order().tolist() == [2, 3, 1]
    assert analysis.order("loss", "all").tolist() == [2, 3, 1, 0]
    assert analysis.order("confidence").tolist() == [2, 3, 1]
    assert analysis.order("index").tolist() == [1, 2, 3]
    shuffled = analysis.order("random", seed=3)
    assert sorted(shuffled) == [1, 2, 3]
    assert shuffled.tolist() == analysis.order("random", seed=3).tolist()
    with pytest.raises(ArgumentError, match="did you mean 'loss'"):
        analysis.order("los")
    with pytest.raises(ArgumentError, match="'wrong' or 'all'"):
        analysis.order(which="right")


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_probability_of_two_classes(shape):
    answers = np.reshape([0.9, 0.2, 0.6, 0.5], shape)
    analysis = ErrorAnalysis(np.zeros(4), [1, 0, 0, 1], answers, ("no", "yes"))
    assert analysis.y_pred.tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(analysis.probabilities[0], [0.1, 0.9])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": np.zeros((0, 4))}, DataError, "no example"),
        ({"x": 3.0}, DataError, "no example"),
        ({"y_true": [0, 1, 2, 0]}, ShapeError, r"labels of shape \(5,\)"),
        ({"y_true": [0, 1, 2, 3, 0]}, ArgumentError, "from 0 to 2, got 3"),
        ({"y_true": [0.0, 1, 2, 0, 1]}, DtypeError, "integer labels"),
        ({"y_true": np.eye(5, 3)}, ShapeError, "argmax"),
        ({"probabilities": np.ones((5, 2)) / 2}, ShapeError, r"\(5, 3\), got \(5, 2\)"),
        ({"probabilities": np.full((5, 3), 4.0)}, ArgumentError, "not logits"),
        ({"probabilities": np.full((5, 3), np.nan)}, ArgumentError, "got nan"),
        ({"probabilities": np.full((5, 3), 0.9)}, ArgumentError, "example 0 sum to"),
        ({"probabilities": np.full((5, 3), "a")}, ShapeError, "got the type"),
        ({"classes": ()}, ShapeError, "0 classes"),
        ({"classes": 3}, ArgumentError, "names of the classes, got 3"),
        ({"x": [[1], [1, 2]]}, ShapeError, "rows of the same length"),
        ({"probabilities": [[1], [1, 2]]}, ShapeError, "rows of the same length"),
        ({"columns": ["a"]}, ShapeError, "1 columns are named"),
        ({"categories": ["a", " "]}, ArgumentError, "1 to 60 characters"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, message):
    given = {
        "x": np.zeros((5, 4)),
        "y_true": [0, 1, 2, 0, 1],
        "probabilities": np.full((5, 3), 1 / 3),
        "classes": CLASSES,
    } | changes
    with pytest.raises(error, match=message):
        ErrorAnalysis(**given)


@pytest.mark.parametrize("example", [[[1]], [{}], {"a": 1}, np.array([True])])
def test_what_is_no_example_is_refused(example):
    with pytest.raises(ArgumentError, match="an example is an integer from 0 to 99"):
        analysis_of().tag(example, "blurred")


def test_an_example_as_an_array_of_no_axes():
    analysis = analysis_of()
    analysis.tag(np.array(3), "blurred")
    assert analysis.tags.members("blurred") == {3}
    with pytest.raises(ArgumentError, match="a category is a text"):
        analysis.tag(3, ["blurred"])
    with pytest.raises(ShapeError, match=r"order: seed must be an integer >= 0"):
        analysis.order("random", seed=-1)


def test_threads_share_the_tags(path):
    analysis = analysis_of(m=60, wrong=60, tags=path)

    def tag(first):
        for index in range(first, 60, 4):
            analysis.tag(index, f"by {first}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tag, range(4)))
    assert analysis_of(m=60, wrong=60, tags=path).counts() == analysis.counts()
    assert analysis.examined == 60


# Tags ---------------------------------------------------------------------------------


def test_each_tag_is_saved_at_once(path):
    analysis = analysis_of(tags=path)
    assert not path.exists()
    analysis.tag(3, "blurred")
    assert analysis_of(tags=path).tags.of(3) == ("blurred",)
    analysis.tag(np.int64(4), "blurred", LABELS)
    analysis.untag(3, "blurred")
    again = analysis_of(tags=path)
    assert again.tags.of(3) == ()
    assert again.tags.of(4) == (LABELS, "blurred")
    assert again.tags.categories == (*CATEGORIES, "blurred")
    assert [file.name for file in path.parent.iterdir()] == ["tags.json"]


def test_undo_and_redo(path):
    analysis = analysis_of(tags=path)
    tags = analysis.tags
    assert (tags.can_undo, tags.undo(), tags.redo()) == (False, [], [])
    analysis.tag([1, 2], "a", "b")
    analysis.tag(1, "b", "c")  # "b" already
    analysis.untag(2, "a")
    states = [tags.to_dict()["tags"]]
    while tags.can_undo:
        assert tags.undo()
        states.append(tags.to_dict()["tags"])
        assert json.loads(path.read_text())["tags"] == states[-1]
    assert len(states) == 4
    assert not any(states[-1].values())
    for state in states[-2::-1]:
        assert tags.redo()
        assert tags.to_dict()["tags"] == state
    assert not tags.can_redo
    tags.undo()
    analysis.tag(7, "a")
    assert not tags.can_redo  # another future


def test_a_tag_that_is_there_is_no_change(path):
    analysis = analysis_of(tags=path)
    analysis.tag(1, "a")
    before = os.stat(path).st_mtime_ns
    analysis.tag(1, "a")
    analysis.tag([], "a")
    assert os.stat(path).st_mtime_ns == before
    assert analysis.tags.undo() == [1]
    assert not analysis.tags.can_undo


def test_rename_merge_and_forget(path):
    analysis = analysis_of(tags=path)
    tags = analysis.tags
    analysis.tag([1, 2], "blury")
    analysis.tag([2, 3], "blurry")
    assert tags.rename("blury", "blurry") == [1, 2]
    assert tags.members("blurry") == {1, 2, 3}
    assert "blury" not in tags.categories
    tags.undo()
    assert tags.members("blury") == {1, 2}
    with pytest.raises(ArgumentError, match="2 examples are in 'blury'"):
        tags.forget("blury")
    with pytest.raises(ArgumentError, match="did you mean 'blurry'"):
        analysis.untag(1, "blurri")
    tags.forget("unusual")
    assert "unusual" not in json.loads(path.read_text())["tags"]


@pytest.mark.parametrize("index", [-1, 100, 1.0, True, "3", None])
def test_an_example_that_does_not_exist(index, path):
    analysis = analysis_of(tags=path)
    with pytest.raises(ArgumentError, match="integer from 0 to 99"):
        analysis.tag(index, "a")
    assert not path.exists()


@pytest.mark.parametrize("name", ["", " ", "a" * 61, "a\nb", "a\x00", None, 3])
def test_a_category_without_a_name(name):
    with pytest.raises(ArgumentError, match="1 to 60 characters"):
        analysis_of().tag(1, name)


def test_too_many_categories():
    analysis = analysis_of(categories=map(str, range(100)))
    with pytest.raises(ArgumentError, match="at most 100"):
        analysis.tag(1, "one more")


# Files --------------------------------------------------------------------------------


def test_tags_of_other_examples_are_refused(path):
    analysis_of(tags=path).tag(1, "a")
    before = path.read_bytes()
    for other in ({"m": 99}, {"seed": 1}):
        with pytest.raises(DataError, match="not these"):
            analysis_of(tags=path, **other)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1, "examples": {}, "tags": {}}',
        '{"format": "x"}',
        '{"format": 1, "examples": {"count": 5}, "tags": []}',
        '{"format": 1, "examples": {"count": 5}, "tags": {"a": 3}}',
        '{"format": 1, "examples": {"count": 5}, "tags": {"a": [9]}}',
        '{"format": 1, "examples": {"count": 5}, "tags": {"a": [true]}}',
        '{"format": 1, "examples": {"count": "5"}, "tags": {"a": [1]}}',
        '{"format": 1, "examples": {"count": 5}, "tags": {"": [1]}}',
        "\ufeff\x00",
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_kept_aside(path, damage):
    if damage == '{"format": 1, "examples": {}, "tags": {}}':
        damage = damage.replace("}}", "}, ")  # cut off
    taken = path.with_name("tags.json.damaged-1")
    taken.write_text("an older one")
    path.write_text(damage, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"damaged.*kept as tags.json.damaged-2"):
        analysis = analysis_of(tags=path)
    assert "damaged-2" in analysis.tags.notice
    analysis.tag(1, "a")
    assert path.with_name("tags.json.damaged-2").read_text("utf-8") == damage
    assert taken.read_text() == "an older one"
    assert analysis_of(tags=path).tags.of(1) == ("a",)


def test_a_file_of_a_newer_fastdl_is_refused(path):
    path.write_text('{"format": 2, "examples": {}, "tags": {}}')
    with pytest.raises(DataError, match="newer fastdl"):
        analysis_of(tags=path)
    assert [file.name for file in path.parent.iterdir()] == ["tags.json"]


def test_a_file_that_another_program_changed_is_not_overwritten(path):
    first, second = analysis_of(tags=path), analysis_of(tags=path)
    second.tag(2, "b")
    with pytest.raises(DataError, match="another program"):
        first.tag(1, "a")
    assert first.tags.of(1) == ()
    assert analysis_of(tags=path).tags.of(2) == ("b",)


def test_a_tag_that_cannot_be_saved_is_not_there(path, monkeypatch):
    analysis = analysis_of(tags=path)
    analysis.tag(1, "a")

    def full(*_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("fastdl.strategy.tags.write_text", full)
    for change in (
        lambda: analysis.tag(2, "a"),
        lambda: analysis.tags.undo(),
        lambda: analysis.tags.forget("unusual"),
    ):
        before = analysis.tags.to_dict()
        with pytest.raises(OSError, match="No space"):
            change()
        assert analysis.tags.to_dict() == before
    monkeypatch.undo()
    assert analysis.tags.undo() == [1]


def test_a_folder_in_place_of_the_file(path):
    path.mkdir()
    with pytest.raises(OSError, match=r"tags\.json"):
        analysis_of(tags=path)
    assert path.is_dir()


def test_killed_at_any_moment(path):
    """What `tag` returned from is there after SIGKILL, and the file is whole."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "from test_error_analysis import analysis_of\n"
        "analysis = analysis_of(10_000, tags=sys.argv[1])\n"
        "for i in range(10_000):\n"
        "    analysis.tag(i, 'a'); print(i, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), os.path.dirname(__file__)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if int(line) >= 30:
            break
    process.kill()
    process.communicate()
    tagged = analysis_of(10_000, tags=path).tags.members("a")
    assert tagged >= set(range(31))
    assert tagged == set(range(len(tagged)))


# Export -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_export_and_restore(path, tmp_path, suffix):
    analysis = analysis_of(tags=path)
    names = ("<script>\"'&", "=1+1", "'quoted", "komma, ü")
    analysis.tag([0, 1, 50], *names)
    file = tmp_path / f"out.{suffix}"
    analysis.export(file)
    expected = analysis.tags.to_dict()["tags"]
    analysis.untag([1, 50], *names)
    analysis.tag(2, "other")  # exported without it
    analysis.tag(60, "other")  # a right one that was not exported
    assert analysis.restore(file) == 3
    assert analysis.tags.to_dict()["tags"] == expected | {"other": [60]}
    analysis.tags.undo()
    assert analysis.tags.members("other") == {2, 60}
    assert analysis_of(seed=0).restore(file) == 3


def test_a_spreadsheet_of_it(tmp_path):
    analysis = analysis_of(100, 2)
    analysis.tag([1, 40], "@home")
    analysis.export(tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:5] == ["index", "true", "predicted", "confidence", "loss"]
    assert rows[0][5:] == [*CATEGORIES, "'@home"]
    assert [row[:3] for row in rows[1:]] == [
        ["0", "cat", "dog"],
        ["1", "dog", "bird"],
        ["40", "dog", "dog"],
    ]
    assert [row[-1] for row in rows[1:]] == ["", "1", "1"]
    assert [float(cell) for cell in rows[1][3:5]] == [0.8, pytest.approx(2.302585)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "first columns"),
        ("a.csv", b"a,b\n", "first columns"),
        ("a.csv", b"\xff\xfe", "cannot be read"),
        ("a.csv", b"index,true,predicted,confidence,loss,a\n1\n", "line 2 needs"),
        ("a.csv", b"index,true,predicted,confidence,loss\nx,,,,\n", "line 2 needs"),
        ("a.csv", b"index,true,predicted,confidence,loss\n900,,,,\n", "no example 900"),
        ("a.csv", b"index,true,predicted,confidence,loss\n0,dog,,,\n", "other data"),
        ("a.csv", b'index,true,predicted,confidence,loss\n"', "cannot be read"),
        ("a.json", b"{", "damaged"),
        ("a.json", b"{}", "damaged"),
        ("a.json", b'{"format": 7}', "newer"),
        (
            "a.json",
            b'{"format": 1, "examples": {"count": 3}, "tags": {}}',
            "not these 100 examples",
        ),
        ("a.txt", b"", ".csv or .json"),
    ],
)
def test_a_bad_file_changes_nothing(tmp_path, name, content, message):
    analysis = analysis_of()
    analysis.tag(1, "a")
    before = analysis.tags.to_dict()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FastdlError, match=message):
        analysis.restore(tmp_path / name)
    assert analysis.tags.to_dict() == before
