"""The report of finished runs, as HTML."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fastdl import metrics, report, strategy
from fastdl.errors import ArgumentError, DataError
from fastdl.report.page.results import Answers, run_names
from fastdl.report.page.sections.calibration import calibration
from fastdl.report.page.sections.confusion import confusion
from fastdl.report.page.sections.mistakes import mistakes
from fastdl.strategy.label_review import Suspect
from fastdl.strategy.labels import WrongPair
from fastdl.strategy.runs import keep
from fastdl.strategy.tables import percent
from fastdl.train import Job, open_run

VOID = {"meta", "link", "img"}
SECTIONS = [
    "diagnosis", "curves", "confusion", "mistakes", "classes", "calibration",
    "layers", "timing", "settings",
]  # fmt: skip


class Page(HTMLParser):
    """What a page consists of; an unbalanced tag is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.attributes, self.words = [], [], [], []
        self.tags = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(tag, *each) for each in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def values(self, name):
        return [value for _, key, value in self.attributes if key == name]


def check(text):
    """Return the page, found sound: whole, on its own, every link leading somewhere."""
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags["script"] == 1
    for name in ("src", "href"):
        for value in page.values(name):
            assert value.startswith(("data:", "#")), value
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[^\"]*", "", text)
        .replace("// Links", ""))  # fmt: skip
    targets = [value[1:] for value in page.values("href") if value.startswith("#")]
    assert set(targets) <= set(page.ids)
    named = page.values("aria-labelledby")
    assert set(named) <= set(page.ids)
    return page


@pytest.fixture(scope="module")
def digits_page(digits_run):
    return check(report.page([digits_run]))


def copy_of(run, tmp_path, **changes):
    """Return a run with other settings; None takes one away."""
    path = tmp_path / "copy"
    shutil.copytree(run, path)
    config = json.loads((path / "config.json").read_text()) | changes
    config = {name: value for name, value in config.items() if value is not None}
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_one_run(digits_page):
    assert [each for each in digits_page.ids if each in SECTIONS] == SECTIONS
    assert "digits_convnet on digits (10 classes of 8x8x1)" in digits_page.text
    assert "not to be had" not in digits_page.text
    assert "Where it was trained" in digits_page.text


def test_numbers_are_those_of_the_metrics(digits_run, digits_page):
    """S27"""
    run = open_run(digits_run)
    test = run.parts.test
    answers = run.trainer.predict(test.x, probabilities=True)
    accuracy = metrics.accuracy(test.y, answers)
    error = metrics.calibration_error(test.y, answers)
    assert f"{accuracy:.2%}" in digits_page.text
    assert f"Expected calibration error (ECE): {error:.2%}" in digits_page.text
    for recall in metrics.recall(test.y, answers):
        assert f"{recall:.3f}" in digits_page.text
    matrix = metrics.confusion_matrix(test.y, answers)
    wrong = matrix * ~np.eye(10, dtype=bool)
    cells = {value for value in digits_page.values("data-cell") if value}
    assert cells == {f"{t}-{a}" for t, a in np.argwhere(wrong)}


def test_diagnosis_and_next_steps(digits_run, digits_page):
    """S25, S35"""
    run = open_run(digits_run)
    found = strategy.measure_run(run).diagnose(settings=run.config)
    assert found.summary() in digits_page.text
    for name, error in found.errors.items():
        assert f"{name} {percent(error, 3)} " in digits_page.text
    for gap, measured in found.gaps.items():
        cause = found.cause(gap)
        name = f"{cause} (problem " if cause in found.problems else gap
        assert f" {percent(measured.size, 3)} {name}" in digits_page.text
    for remedy in found.remedies:
        assert remedy.name in digits_page.text
    assert found.problems  # an epoch is too short


def test_runs_by_path_or_opened(digits_run):
    """One needs no list."""
    for given in (digits_run, str(digits_run), open_run(digits_run), (digits_run,)):
        assert "digits: fastdl report" in report.page(given)


def test_what_else_to_find_out(digits_run, digits_page):
    for command in ("errors", "labels", "diagnose"):
        assert f"fastdl {command} {digits_run}" in digits_page.text


def test_human_error(digits_run):
    text = check(report.page([digits_run], human=0.25)).text
    assert "human 25 % " in text


def test_size_is_bounded(digits_run, many_run):
    assert len(report.page([digits_run])) < 500_000
    assert len(report.page([many_run])) < 1_000_000


def test_hostile_names_are_inert(hostile_run):
    text = report.page([hostile_run])
    page = check(text)
    assert "<script>document" not in text
    assert not {name for _, name, _ in page.attributes if name.startswith("on")}
    assert "<script>document.title='x'" in page.text
    assert '"><img src=x onerror=' in page.text
    assert "<i onclick=alert(1)>&amp;" in page.text


def test_policy_allows_this_script_alone(digits_page):
    (policy,) = [v for v in digits_page.values("content") if v and "default-src" in v]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_a_hundred_classes(many_run):
    """A matrix without numbers, and its peaks as a list."""
    page = check(report.page([many_run]))
    assert "Most frequent confusions" in page.text
    assert page.tags["table"] < 10
    assert "kind 99" in page.text


def test_two_classes(hostile_run):
    page = check(report.page([hostile_run]))
    assert set(SECTIONS) <= set(page.ids)
    assert "no convolution" in page.text


# What is missing is left out with a sentence


def test_data_that_are_not_to_be_had(digits_run, tmp_path):
    run = copy_of(digits_run, tmp_path, source=str(tmp_path / "nowhere"))
    (run / "measures.json").unlink(missing_ok=True)
    page = check(report.page([run]))
    assert "The data of this run are not to be had here" in page.text
    assert "curves" in page.ids
    assert "settings" in page.ids
    assert not {"confusion", "mistakes", "diagnosis"} & set(page.ids)


def test_errors_are_known_without_the_data(digits_run, monkeypatch):
    """They were measured before, of this model with these settings."""
    known = strategy.measure_run(open_run(digits_run)).diagnose().summary()

    def gone(job):
        raise DataError("the disk is away")

    monkeypatch.setattr(Job, "load", gone)
    text = check(report.page([digits_run])).text
    assert known in text
    assert "the disk is away" in text


def test_run_without_a_record_of_its_epochs(digits_run, tmp_path):
    run = copy_of(digits_run, tmp_path)
    (run / "metrics.csv").unlink()
    page = check(report.page([run]))
    assert "no record of its epochs" in page.text
    assert "Training, without validation" not in page.text


def test_run_without_validation(digits_run, tmp_path):
    run = copy_of(digits_run, tmp_path)
    (run / "metrics.csv").write_text(
        "epoch,loss,accuracy,examples_per_second,seconds\n"
        "1,0.5,0.8,1000,0.2\n2,nan,0.9,1000,0.2\n"
    )
    page = check(report.page([run]))
    assert "Nothing was measured on validation data" in page.text


# What the run has from other commands


def test_kinds_of_mistakes(digits_run, tmp_path):
    """S29: the tags of `fastdl errors`, with what fixing each would leave."""
    run = copy_of(digits_run, tmp_path)
    assert "tags" not in check(report.page([run])).ids
    analysis = strategy.ErrorAnalysis.of_run(run)
    first, *others = analysis.order().tolist()
    analysis.tag(first, "ambiguous", "<b>six</b>")
    page = check(report.page([run]))
    assert "tags" in page.ids
    assert f"1 of its {1 + len(others)} mistakes have tags" in page.text
    assert f"<b>six</b> 1 100.0% {analysis.error:.2%} 0.00%" in page.text
    assert "poor quality" not in page.text


def test_tags_of_other_data_are_left_out(digits_run, tmp_path):
    run = copy_of(digits_run, tmp_path)
    few = strategy.ErrorAnalysis(
        np.zeros((2, 3)), [0, 1], np.eye(2), "ab", tags=run / "tags.json"
    )
    few.tag(0, "other")
    assert "tags" not in check(report.page([run])).ids


def review_of(run, pairs=()):
    """Return two suspects in the parts of a run, one to train with and one to test."""
    parts = open_run(run).parts
    suspects = [
        Suspect(part, 3, int(getattr(parts, part).y[3]), 8, score)
        for part, score in (("train", 0.99), ("test", 0.0001))
    ]
    names = (parts.name, parts.classes, "all", 4, 0)
    return strategy.LabelReview(*names, 0.042, 0.5, pairs, tuple(suspects), ())


def test_suspect_labels(digits_run, tmp_path):
    """S30"""
    run = copy_of(digits_run, tmp_path)
    assert "suspects" not in check(report.page([run])).ids
    review_of(run).save(run)
    page = check(report.page([run]))
    assert "suspects" in page.ids
    assert "2 labels are suspect; about 4.2% of all are wrong" in page.text
    assert "99% train #3" in page.text
    assert "<0.1% test #3" in page.text
    assert "No class is labelled as another" in page.text


def test_systematic_noise(digits_run, tmp_path):
    """S30"""
    run = copy_of(digits_run, tmp_path)
    pair = WrongPair(true=4, given=9, share=0.2, examples=30.0, p_value=1e-9)
    review_of(run, (pair,)).save(run)
    text = check(report.page([run])).text
    assert "The noise is systematic: 4 as 9 (20% of its examples)." in text


def test_suspects_of_other_parts_are_left_out(digits_run, tmp_path):
    """The run was trained again, with another seed."""
    run = copy_of(digits_run, tmp_path)
    review = review_of(run)
    other = replace(review.suspects[0], given=(review.suspects[0].given + 1) % 10)
    replace(review, suspects=(other,)).save(run)
    assert "suspects" not in check(report.page([run])).ids


def test_curve_over_the_data(digits_run, tmp_path):
    run = copy_of(digits_run, tmp_path)
    curve = strategy.DataCurve([100, 200, 400, 800], [0] * 4, [0.4, 0.3, 0.2, 0.1], 500)
    numbers = {
        name: getattr(curve, name).tolist() for name in ("sizes", "train", "dev")
    }
    folder = open_run(run).folder
    keep(folder, "data_curve", {**numbers, "dev_examples": 500, "seed": 0})
    page = check(report.page([run]))
    assert "data" in page.ids
    assert curve.summary() in page.text


# Answers


def answers_of(y, predicted, classes, sure=0.9):
    """Return answers of this probability to grey pictures."""
    count = len(classes)
    probabilities = np.full((len(y), count), (1 - sure) / (count - 1))
    probabilities[np.arange(len(y)), predicted] = sure
    x = np.zeros((len(y), 4, 4, 1), np.uint8)
    return Answers(x, y, probabilities, classes)


def html_of(content):
    return Page("".join(f"<div>{each}</div>" for each in content))


def test_no_mistake():
    answers = answers_of([0, 1, 1], [0, 1, 1], ["a", "b"])
    text = html_of(confusion(answers, "")).text
    assert "There is no mistake" in text
    assert "confusions" not in text
    assert "All 3 dev examples are right" in html_of(mistakes(answers, 1)).text


def test_worst_mistake_is_first():
    truth = np.array([0.3, 0.01, 0.2])
    probabilities = np.stack([truth, 1 - truth], axis=1)
    answers = Answers(np.zeros((3, 4, 4, 1)), [0, 0, 0], probabilities, "ab")
    assert answers.mistakes.tolist() == [1, 2, 0]
    assert re.findall(r"#(\d)", html_of(mistakes(answers, 1)).text) == ["1", "2", "0"]


def test_every_confused_pair_has_its_worst():
    """A frequent confusion does not push out the rare ones."""
    y = [0] * 300 + [2]
    answers = answers_of(y, [1] * 300 + [0], ["a", "b", "c"])
    page = html_of(mistakes(answers, 1))
    assert "240 of the 301 mistakes are in this page" in page.text
    assert "2-0" in page.values("data-cell")


def test_large_pictures_are_fewer():
    x = np.random.default_rng(0).integers(0, 256, (400, 200, 200, 3), np.uint8)
    y = np.zeros(400, int)
    probabilities = np.tile([0.1, 0.9], (400, 1))
    answers = Answers(x, y, probabilities, ["a", "b"])
    size = sum(len(str(each)) for each in mistakes(answers, 1))
    assert 400_000 < size < 1_500_000


def test_rows_of_a_table_have_no_picture():
    answers = Answers(np.zeros((2, 5)), [0, 1], np.eye(2)[::-1], "ab")
    page = html_of(mistakes(answers, 1))
    assert "img" not in page.tags
    assert "example 1" in page.text


def test_answers_that_are_too_sure():
    answers = answers_of([0] * 10, [0] * 6 + [1] * 4, ["a", "b"], sure=0.9)
    text = html_of(calibration(answers)).text
    assert "(ECE): 30.00%" in text
    assert "too sure by 30.0%" in text


def test_bars_of_counts_are_as_high_as_the_counts():
    """They stand on 0."""
    answers = answers_of([0] * 10, [0] * 10, ["a", "b"], sure=0.6)
    answers.probabilities[:4] = 0.1, 0.9
    counts = "".join(map(str, calibration(answers))).split("<svg")[-1]
    bars = re.findall(r'<rect[^>]* height="([\d.]+)"[^>]*class="bar', counts)
    heights = [float(bar) for bar in bars if float(bar)]
    np.testing.assert_allclose(
        np.divide(sorted(heights), max(heights)), [4 / 6, 1], 0.01
    )


# Several runs


@pytest.fixture(scope="module")
def two_runs(digits_run, tmp_path_factory):
    other = copy_of(digits_run, tmp_path_factory.mktemp("other"), lr=0.5, note="x<y")
    return check(report.page([digits_run, other]))


def test_differences_of_runs(two_runs):
    for name in ("all-results", "all-differences", "all-curves", "run1-curves"):
        assert name in two_runs.ids
    assert "lr 0.003 0.5" in two_runs.text
    assert "note - x<y" in two_runs.text
    assert "batch size 64 64" not in two_runs.text


def test_same_run_twice(digits_run):
    page = check(report.page([digits_run, digits_run]))
    assert "the same settings" in page.text


def test_names_of_runs(tmp_path):
    a, b = tmp_path / "x" / "run", tmp_path / "y" / "run"
    assert run_names([a]) == ["run"]
    assert run_names([a, b]) == ["x/run", "y/run"]
    assert len(set(run_names([a, a, b]))) == 3


# Errors


def test_no_run():
    with pytest.raises(ArgumentError, match="one run at least"):
        report.page([])


def test_unknown_part(digits_run):
    with pytest.raises(ArgumentError, match="did you mean 'train'"):
        report.page([digits_run], part="trian")


def test_part_that_a_run_has_not(digits_run):
    with pytest.raises(DataError, match="has no train_dev set"):
        report.page([digits_run], part="train_dev")


def test_no_run_folder(tmp_path):
    with pytest.raises(DataError, match="no run folder"):
        report.page([tmp_path / "nothing"])


def test_page_is_written_whole(digits_run, tmp_path):
    path = tmp_path / "new" / "page.html"
    report.write_page([digits_run], path, part="dev")
    check(path.read_text(encoding="utf-8"))
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
