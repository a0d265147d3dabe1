"""Suspect labels on the page of mistakes (S29, S30): confirmed, corrected, logged."""

import json
import threading

import numpy as np
import pytest

from fastdl.errors import DataError, FastdlError
from fastdl.report.errors import ErrorPage, PageServer, Review
from fastdl.report.errors.server import Request
from fastdl.strategy import Corrections, ErrorAnalysis, Suspect

CLASSES = ("cat", "dog", "bird")


def review_of(folder, m=30):
    """Examples 0 to 4 are suspect, 10 to 12 are there to compare."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (m, 6, 6, 1), np.uint8)
    y = np.arange(m) % 3
    probabilities = rng.dirichlet([1, 1, 1], m)
    analysis = ErrorAnalysis(x, y, probabilities, CLASSES, tags=folder / "tags.json")
    corrections = Corrections((x, y), folder / "corrections.json", CLASSES)
    suspects = [Suspect("dev", i, i % 3, (i + 1) % 3, 0.9 - 0.1 * i) for i in range(5)]
    suspects += [Suspect("dev", i, i % 3, i % 3, 0.01) for i in range(10, 13)]
    return analysis, corrections, Review(analysis, corrections, suspects, "ann")


@pytest.fixture
def parts(tmp_path):
    return review_of(tmp_path)


@pytest.fixture
def ask(parts):
    """Call a route of the page, as the server does."""
    analysis, _, review = parts
    routes = ErrorPage(analysis, "a run", "labels", review).routes()

    def call(method, path, **body):
        request = Request({}, json.dumps(body).encode(), "application/json")
        return json.loads(routes[method, path](request).body)

    return call


def test_a_correction_is_logged_and_tagged(parts, ask, tmp_path):
    analysis, corrections, _ = parts
    answer = ask("POST", "/label", example=1, label=2)
    assert answer["corrected"] == {"1": 2}
    assert answer["tags"] == {"1": ["incorrectly labelled"]}
    (line,) = corrections.log
    assert (line.index, line.before, line.after, line.who) == (1, 1, 2, "ann")
    again, kept, _ = review_of(tmp_path)
    assert kept.labels[1] == 2
    assert again.tags.of(1) == ("incorrectly labelled",)
    assert analysis.y_true[1] == 1  # the run is judged by what it was given


def test_a_label_that_is_right_is_confirmed(parts, ask):
    analysis, corrections, _ = parts
    assert ask("POST", "/label", example=0, label=0)["tags"] == {
        "0": ["label confirmed"]
    }
    assert not corrections.log
    analysis.tag(np.flatnonzero(analysis.wrong)[0].item(), "label confirmed")
    causes = [row.category for row in analysis.ceilings()]
    assert "label confirmed" not in causes
    assert analysis.examined >= 1


def test_another_opinion(parts, ask):
    _, corrections, _ = parts
    ask("POST", "/label", example=1, label=2)
    ask("POST", "/label", example=1, label=0)
    assert corrections.labels[1] == 0
    answer = ask("POST", "/label", example=1, label=1)
    assert answer["tags"] == {"1": ["label confirmed"]}
    assert answer["corrected"] == {}
    assert len(corrections.log) == 3


def test_undo_of_labels_and_tags_in_their_order(parts, ask):
    analysis, corrections, _ = parts
    ask("POST", "/tag", examples=[1], category="other", inside=True)
    ask("POST", "/label", example=1, label=2)
    ask("POST", "/tag", examples=[2], category="other", inside=True)
    ask("POST", "/label", example=3, label=0)
    ask("POST", "/label", example=3, label=0)  # once more: nothing changes
    states = []
    for _ in range(5):
        states.append((corrections.labels.tolist(), analysis.tags.to_dict()["tags"]))
        answer = ask("POST", "/undo")
    assert not answer["undo"]
    assert not analysis.tags.tagged()
    assert corrections.labels.tolist() == analysis.y_true.tolist()
    for labels, tags in reversed(states):
        ask("POST", "/redo")
        assert corrections.labels.tolist() == labels
        assert analysis.tags.to_dict()["tags"] == tags
    assert not ask("POST", "/redo")["redo"]
    assert {line.why for line in corrections.log} == {"", "taken back", "made again"}


@pytest.mark.parametrize(
    ("example", "label"),
    [
        *((wrong, 0) for wrong in (30, -1, True, 1.0, "1", None, [1])),
        *((1, wrong) for wrong in (3, -1, 1.5, "2", None, [2])),
    ],
)
def test_decisions_that_make_no_sense(parts, ask, example, label):
    analysis, corrections, _ = parts
    with pytest.raises((FastdlError, TypeError, ValueError)):
        ask("POST", "/label", example=example, label=label)
    assert not corrections.log
    assert not analysis.tags.tagged()


def test_without_a_review_there_is_no_label(parts):
    routes = ErrorPage(parts[0], "a run").routes()
    with pytest.raises(ValueError, match="no suspect labels"):
        routes["POST", "/label"](Request({}, b'{"example": 1, "label": 1}', ""))


@pytest.mark.parametrize("suspect", [(30, 0), (1, 2)])
def test_suspects_of_other_data_are_refused(parts, suspect):
    analysis, corrections, _ = parts
    index, given = suspect
    suspects = [Suspect("dev", index, given, 0, 0.5)]
    with pytest.raises(DataError, match="of other data"):
        Review(analysis, corrections, suspects, "ann")


def test_in_the_browser(browser, window, parts):
    """S30: Enter corrects as suggested, Space confirms; both go on to the next."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    analysis, corrections, review = parts
    window(1280, 800)
    page = ErrorPage(analysis, "a run", "labels", review)

    def wait(script):
        WebDriverWait(browser, 10, 0.01).until(
            lambda _: browser.execute_script(f"return {script}")
        )

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def text(identity):
        return browser.execute_script(
            "return document.getElementById(arguments[0]).textContent", identity
        )

    with PageServer(page.routes()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            browser.get("about:blank")
            browser.get_log("browser")
            browser.get(server.url)
            wait("document.documentElement.dataset.ready")
            assert text("count") == "8 labels"
            press(Keys.ENTER)
            wait("document.querySelector('.current').id === 'example-1'")
            assert text("said") == "label of example 0 corrected to dog"
            press(" ")
            wait("document.querySelector('.current').id === 'example-2'")
            assert text("said") == "label of example 1 confirmed"
            assert text("examined-text") == "2 of 8 decided"
            press("u")
            wait("document.getElementById('examined-text').innerText[0] === '1'")
            browser.refresh()
            wait("document.documentElement.dataset.ready")
            assert text("examined-text") == "1 of 8 decided"
            assert corrections.labels[0] == 1
            assert browser.get_log("browser") == []
        finally:
            server.shutdown()
            thread.join()
