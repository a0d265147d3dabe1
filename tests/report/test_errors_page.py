"""The page of mistakes (S29) in a real browser: keys, tags that survive, and looks."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from fastdl import train
from fastdl.report.errors import ErrorPage, PageServer
from fastdl.strategy import ErrorAnalysis

EVIL = '<script>alert("\'&")</script>'
SECONDS = 10  # for the page to do what it does in milliseconds


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run that makes mistakes."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    job = train.Job("digits", train.recipe("digits")).replace(model="mlp", epochs=1)
    parts = job.load()
    folder = train.RunFolder(path)
    trained = job.fit(parts)
    shape = list(parts.input_shape)
    settings = {"classes": parts.classes, "input_shape": shape}
    folder.write_config(job.to_dict() | settings)
    folder.save_model(trained.model)
    return path


@contextmanager
def command(run_folder):
    """Serve the run in a process of its own; give the process and the address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastdl", "errors", str(run_folder), "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = iter(process.stdout.readline, "")
    try:
        yield process, next(found[0] for line in lines if (found := address_in(line)))
    finally:
        process.kill()
        process.communicate()


def address_in(line):
    return re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)


@contextmanager
def served(analysis, which="wrong"):
    page = ErrorPage(analysis, "a run", which)
    with PageServer(page.routes()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


class Page:
    """What a person sees and does."""

    def __init__(self, browser):
        from selenium.webdriver import ActionChains

        self.browser = browser
        self._actions = ActionChains

    def open(self, url):
        self.browser.get("about:blank")
        self.browser.get_log("browser")
        self.browser.get(url)
        self.wait("document.documentElement.dataset.ready")
        return self

    def run(self, script, *arguments):
        return self.browser.execute_script(f"return {script}", *arguments)

    def wait(self, script, *arguments):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(Exception):
                if found := self.run(script, *arguments):
                    return found
            time.sleep(0.01)
        raise AssertionError(f"never true: {script}")

    def press(self, *keys):
        self._actions(self.browser).send_keys(*keys).perform()

    def press_with_shift(self, *keys):
        from selenium.webdriver.common.keys import Keys

        actions = self._actions(self.browser).key_down(Keys.SHIFT).send_keys(*keys)
        actions.key_up(Keys.SHIFT).perform()

    def said(self, text):
        self.wait(
            "document.getElementById('said').textContent.includes(arguments[0])", text
        )

    def text(self, identity):
        return self.run("document.getElementById(arguments[0]).innerText", identity)

    def pick(self, identity, value):
        self.run(
            "(select => { select.value = arguments[1];"
            " select.dispatchEvent(new Event('change')) })"
            "(document.getElementById(arguments[0]))",
            identity,
            value,
        )

    def counts(self):
        rows = self.run(
            "[...document.querySelectorAll('#category-rows tr')].map(row =>"
            "[row.cells[1].innerText, row.cells[2].innerText])"
        )
        return {name.strip(): int(count.split()[0]) for name, count in rows}

    def shown(self):
        return self.run(
            "[...document.querySelectorAll('[role=option]')].map(e => e.id)"
        )

    def check_quiet(self):
        assert self.browser.get_log("browser") == []


@pytest.fixture
def page(browser, window):
    window(1280, 800)
    return Page(browser)


def analysis_of(m=300, wrong=60, kind="picture", tags=None):
    rng = np.random.default_rng(0)
    y_true = np.arange(m) % 3
    probabilities = rng.dirichlet([1, 1, 1], m) * 0.3
    answers = np.where(np.arange(m) < wrong, (y_true + 1) % 3, y_true)
    probabilities[np.arange(m), answers] += 0.7
    x = {
        "picture": rng.integers(0, 256, (m, 8, 8, 1), np.uint8),
        "signal": rng.standard_normal((m, 200)),
        "table": rng.standard_normal((m, 12)),
    }[kind]
    return ErrorAnalysis(x, y_true, probabilities, ("cat", EVIL, "bird"), tags=tags)


# The story ----------------------------------------------------------------------------


def test_ten_pictures_by_keyboard(page, run_folder):
    """S29: tagged, reloaded, the server killed and started again: counts survive."""
    from selenium.webdriver.common.keys import Keys

    with command(run_folder) as (process, url):
        page.open(url)
        assert page.run("location.search") == ""  # the secret is out of sight
        for i in range(10):
            page.press("1" if i < 6 else "2")
            page.said(" set on ")
            page.press(Keys.ARROW_RIGHT)
            page.run("document.getElementById('said').textContent = ''")
        page.press("n")
        page.press(EVIL, Keys.ENTER)
        page.said(f"{EVIL} set on")
        expected = {"incorrectly labelled": 6, "ambiguous": 4, EVIL: 1}
        before = page.counts()
        assert {name: n for name, n in before.items() if n} == expected
        page.browser.refresh()
        page.wait("document.documentElement.dataset.ready")
        assert page.counts() == before
        page.check_quiet()
        process.send_signal(signal.SIGKILL)
        process.wait()
        page.press("3")
        page.wait("!document.getElementById('alert').hidden")
        assert "does not answer" in page.text("alert")
        assert page.counts() == before

    with command(run_folder) as (_, url):
        page.open(url)
        assert page.counts() == before
        exported = page.run(
            "Promise.all(['csv', 'json'].map(async id =>"
            " (await fetch(document.getElementById(id).href)).text()))"
        )
        page.press("u")
        page.wait("document.getElementById('undo').disabled")  # the past ended with it
        page.check_quiet()
    rows = list(csv.DictReader(io.StringIO(exported[0])))
    counted = {name: sum(row[name] == "1" for row in rows) for name in before}
    assert counted == before
    saved = json.loads((run_folder / "tags.json").read_text())["tags"]
    assert json.loads(exported[1])["tags"] == saved
    assert {name: len(members) for name, members in saved.items()} == before


# Parts of it --------------------------------------------------------------------------


def test_undo_redo_and_several_at_once(page):
    from selenium.webdriver.common.keys import Keys

    analysis = analysis_of()
    with served(analysis) as url:
        page.open(url)
        page.press_with_shift(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        page.press("4")
        page.said("unusual set on 3 examples; 3 mistakes")
        assert analysis.counts()["unusual"] == 3
        assert page.run("document.querySelectorAll('.badge').length") == 3
        page.press("u")
        page.said("undone on 3 examples")
        assert not analysis.tags.tagged()
        page.press("U")
        page.said("redone on 3 examples")
        page.press("4")
        page.said("unusual removed from 3 examples; 0 mistakes")
        page.check_quiet()


def test_filters_and_orders(page):
    from selenium.webdriver.common.keys import Keys

    analysis = analysis_of()
    analysis.tag([5, 7], EVIL)
    with served(analysis) as url:
        page.open(url)
        assert page.text("count") == "60 mistakes"
        by_loss = [f"example-{i}" for i in analysis.order("loss")]
        assert page.shown() == by_loss[: len(page.shown())]
        page.press("/")
        page.press("script bird")
        page.wait("document.getElementById('count').innerText === '21 mistakes'")
        page.press(Keys.ESCAPE)
        page.press(Keys.END)
        assert page.run("location.hash").startswith("#text=script+bird")
        page.browser.refresh()
        page.wait("document.documentElement.dataset.ready")
        assert page.text("count") == "21 mistakes"
        page.run("document.getElementById('clear').click()")
        page.run("document.getElementById('which-all').click()")
        assert page.text("count") == "300 examples"
        for order in ("confidence", "index"):
            page.pick("sort", order)
            page.press(Keys.HOME)
            expected = [f"example-{i}" for i in analysis.order(order, "all")]
            page.wait(
                "document.querySelector('.current').id === arguments[0]", expected[0]
            )
            assert set(page.shown()) <= set(expected[: len(page.shown()) + 1])
        page.pick("tag", f"={EVIL}")
        assert page.shown() == ["example-5", "example-7"]
        page.check_quiet()


def test_by_touch(page, window):
    """A phone has no keys."""
    window(390, 844)
    analysis = analysis_of()
    second, third = analysis.order()[1:3].tolist()
    with served(analysis) as url:
        page.open(url)
        assert not page.run("document.getElementById('panel').open")
        for index, name in ((second, "ambiguous"), (third, "other")):
            page.browser.find_element("id", f"example-{index}").click()
            button = page.browser.find_element(
                "css selector", f"#tags [data-name={name}]"
            )
            button.click()
            page.said(f"{name} set on example {index}")
        page.browser.find_element("id", "undo").click()
        page.said(f"undone on example {third}")
        assert analysis.tags.tagged() == {second}
        page.check_quiet()


def test_nothing_is_taken_for_markup(page):
    analysis = analysis_of()
    for name in (EVIL, "<img src=x onerror=alert(1)>", "\"'&", "a=b"):
        analysis.tag(1, name)
    with served(analysis) as url:
        page.open(url)
        assert page.run("document.scripts.length") == 1
        assert page.run("document.querySelectorAll('img[src=x]').length") == 0
        assert EVIL in page.text("category-rows")
        assert "\"'&" in page.text("category-rows")
        page.check_quiet()


def test_rename_merge_and_remove(page):
    from selenium.webdriver.common.keys import Keys

    analysis = analysis_of()
    analysis.tag([1, 2], "blury")
    analysis.tag([2, 3], "blurry")
    with served(analysis) as url:
        page.open(url)
        page.run(
            "document.querySelector('[aria-label=\"Rename or remove blury\"]').click()"
        )
        page.press("blurry", Keys.ENTER)
        page.said("renamed to blurry")
        assert page.counts()["blurry"] == 3
        assert "blury" not in page.counts()
        page.run(
            "document.querySelector('[aria-label=\"Rename or remove other\"]').click()"
        )
        page.run("document.getElementById('forget').click()")
        page.said("other removed")
        assert "other" not in analysis.tags.categories
        page.check_quiet()


def test_import(page, tmp_path):
    analysis = analysis_of()
    analysis.tag([1, 2], "a")
    analysis.export(tmp_path / "tags.csv")
    analysis.untag([1, 2], "a")
    (tmp_path / "bad.json").write_text("{")
    with served(analysis) as url:
        page.open(url)
        field = page.browser.find_element("id", "file")
        field.send_keys(str(tmp_path / "bad.json"))
        page.wait("document.getElementById('alert').innerText.includes('damaged')")
        field.send_keys(str(tmp_path / "tags.csv"))
        page.said("tags of 2 examples imported")
        assert page.counts()["a"] == 2
        assert page.run("document.getElementById('alert').hidden")
    # The refused request is an error of the network to the browser, and all of them.
    assert all("400" in entry["message"] for entry in page.browser.get_log("browser"))


def test_two_windows_agree(page):
    analysis = analysis_of()
    with served(analysis) as url:
        page.open(url)
        first = page.browser.current_window_handle
        page.browser.switch_to.new_window("tab")
        page.open(url)
        page.press("1")
        page.said(" set on ")
        page.browser.close()
        page.browser.switch_to.window(first)
        page.press("2")
        page.wait("document.querySelectorAll('.badge').length === 2")
        assert page.counts()["incorrectly labelled"] == 1


def test_a_large_list_has_few_elements(page):
    from selenium.webdriver.common.keys import Keys

    analysis = analysis_of(10_000, 10_000)
    with served(analysis) as url:
        page.open(url)
        for key in (Keys.END, Keys.PAGE_UP, Keys.HOME, Keys.PAGE_DOWN):
            page.press(key)
            assert len(page.shown()) < 150
            assert page.run("document.querySelectorAll('.current').length") == 1
        page.run(  # a key that is held down
            "Array.from({ length: 300 }, () => document.activeElement.dispatchEvent("
            "new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true })))"
        )
        page.press(Keys.END)
        page.wait("document.querySelector('.current.drawn')")
        last = analysis.order("loss")[-1]
        assert page.run("document.querySelector('.current').id") == f"example-{last}"
        assert page.run("document.querySelector('.current').ariaPosInSet") == "10000"
        page.check_quiet()


@pytest.mark.parametrize("kind", ["signal", "table"])
def test_signals_and_tables(page, window, kind):
    """S29: not pictures alone."""
    from selenium.webdriver.common.keys import Keys

    analysis = analysis_of(kind=kind)
    with served(analysis) as url:
        for width, key in ((1280, "1"), (390, "2")):
            window(width, 800)
            page.open(url)
            page.press(Keys.ARROW_DOWN, key)
            page.said(" set on ")
            page.wait("document.querySelectorAll('.card.drawn').length")
            assert page.run("document.documentElement.scrollWidth") == width
        what = {
            "signal": "document.querySelector('.view path').getTotalLength() > 200",
            "table": "document.querySelectorAll('.cells tbody tr').length === 12",
        }[kind]
        page.wait(what)
        page.check_quiet()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "light"), (390, "dark"), (800, "light"), (1440, "light"), (1440, "dark")],
)
def test_looks(page, window, width, scheme):
    """Nothing is wider than the window; text can be told from its ground."""
    window(width, 844, scheme)
    analysis = analysis_of()
    analysis.tag([1, 2], "a" * 60)
    with served(analysis) as url:
        page.open(url)
        page.run("document.getElementById('panel').open = true")
        page.press("1")
        page.said(" set on ")
        assert page.run("document.documentElement.scrollWidth") == width
        assert page.run("document.documentElement.scrollHeight") == 844
        contrasts = page.run(CONTRASTS)
        assert min(contrasts.values()) >= 4.5, contrasts
        page.check_quiet()
        if folder := os.environ.get("FASTDL_SCREENSHOTS"):
            path = os.path.join(folder, f"errors-{width}-{scheme}.png")
            page.browser.save_screenshot(path)


# Of each kind of text the contrast with what is behind it (WCAG 2.1, 1.4.3).
CONTRASTS = """(() => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = parts.map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/^rgba.*, 0\\)$/.test(colour)) return colour;
    }
  };
  const found = {};
  for (const name of ["h1", ".quiet", ".own", ".answer", ".sure", ".badge", ".tag",
      ".tag[aria-pressed=true]", ".categories th", ".categories td", "#count",
      "#filters label span", ".tag kbd", ".facts dt", "button"]) {
    for (const e of document.querySelectorAll(name)) {
      const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      found[name] = Math.min(found[name] ?? 99, contrast);
    }
  }
  return found;
})()"""


def test_names_for_screen_readers(page):
    analysis = analysis_of()
    analysis.tag(analysis.order()[0].item(), "other")
    with served(analysis) as url:
        page.open(url)
        assert page.run("document.activeElement.id") == "list"
        assert page.run("document.activeElement.getAttribute('role')") == "listbox"
        current = page.run(
            "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
            ".getAttribute('aria-label')"
        )
        assert re.search(
            r"taken for .*, \d+ percent; tagged other; example \d+", current
        )
        nameless = page.run(
            "[...document.querySelectorAll('button, input, select, a')].filter("
            " e => e.checkVisibility()"
            " && !(e.textContent || e.ariaLabel || e.labels?.length)).length"
        )
        assert nameless == 0
