"""``python -m bench.errors_page``: the page of mistakes with 10,000 pictures.

In a headless Chromium: how long until the first pictures are there and a key moves the
choice, how much memory its renderer holds beyond a blank page (before, and after all
pictures were scrolled through), and how long a tag takes until the page counts it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import Table, against, describe_load, describe_machine
from fastdl.report.errors import ErrorPage, PageServer
from fastdl.strategy import ErrorAnalysis

EXAMPLES = 10_000
SHAPES = {"28 x 28, grey": (28, 28, 1), "64 x 64, colour": (64, 64, 3)}
SECONDS, MEGABYTES, FRAME = 2.0, 300.0, 50.0  # at most
_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-dev-shm-usage"),
)
# Scrolls through all, a screen a frame; returns the time of each frame.
_SCROLL = """
const done = arguments[0], list = document.getElementById("list"), times = [];
let last = performance.now();
const step = (now) => {
  times.push(now - last);
  last = now;
  list.scrollTop += list.clientHeight;
  if (list.scrollTop + list.clientHeight + 1 < list.scrollHeight) requestAnimationFrame(step);
  else done(times);
};
requestAnimationFrame(step);
"""  # noqa: E501


def analysis(shape: tuple[int, ...], tags: Path) -> ErrorAnalysis:
    """Return so many wrong answers about pictures with edges and noise."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 64, (EXAMPLES, *shape), np.uint8)
    places = rng.integers(0, shape[0] // 2, (EXAMPLES, 2))
    for picture, (top, left) in zip(x, places, strict=True):
        picture[top : top + shape[0] // 2, left : left + shape[1] // 2] += 150
    y = rng.integers(0, 10, EXAMPLES)
    probabilities = rng.dirichlet(np.ones(10), EXAMPLES)
    probabilities[np.arange(EXAMPLES), y] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return ErrorAnalysis(x, y, probabilities, list(map(str, range(10))), tags=tags)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser without a window."""
    from selenium import webdriver

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        sys.exit("needs chromium and chromedriver in PATH: apt install chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            browser.set_window_size(1440, 900)
            yield browser
        finally:
            browser.quit()


def renderer_memory(browser: Any) -> float:
    """Return what the largest renderer of a page holds alone, in MB."""
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    time.sleep(1)
    parents, renderers = {}, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (process / "stat").read_text(), process / "cmdline"
            parents[process.name] = stat.rpartition(")")[2].split()[1]
            words = command.read_text(errors="replace")
        except OSError:  # it has ended
            continue
        if "--type=renderer" in words and "--top-chrome-webui" not in words:
            renderers.append(process.name)
    own = str(browser.service.process.pid)
    return max(_private(name) for name in renderers if own in _line(name, parents))


def _line(name: str, parents: dict[str, str]) -> list[str]:
    """Return a process and those that started it."""
    line = [name]
    while line[-1] in parents:
        line.append(parents[line[-1]])
    return line


def _private(name: str) -> float:
    words = map(str.split, Path("/proc", name, "smaps_rollup").read_text().splitlines())
    return sum(int(w[1]) for w in words if w[0].startswith("Private_")) / 1024


def wait(browser: Any, script: str) -> None:
    """Wait until a script returns something true."""
    end = time.monotonic() + 30
    while not browser.execute_script(f"return {script}"):
        if time.monotonic() > end:
            raise TimeoutError(script)
        time.sleep(0.005)


def measure(shape: tuple[int, ...]) -> tuple[list[float], float, float, float, float]:
    """Return seconds to interact, MB beyond blank, then after scrolling, frame, tag."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    with tempfile.TemporaryDirectory() as folder:
        page = ErrorPage(analysis(shape, Path(folder, "tags.json")), "bench")
        with PageServer(page.routes()) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            seconds = []
            for _ in range(5):
                with chromium() as browser:
                    browser.get("about:blank")
                    blank = renderer_memory(browser)
                    start = time.perf_counter()
                    browser.get(server.url)
                    wait(browser, "document.documentElement.dataset.ready")
                    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
                    wait(
                        browser,
                        "document.querySelector('.current')?.ariaPosInSet === '2' && "
                        "document.querySelectorAll('.card:not(.drawn)').length === 0",
                    )
                    seconds.append(time.perf_counter() - start)
                    if len(seconds) < 5:
                        continue
                    early = renderer_memory(browser) - blank
                    browser.set_script_timeout(120)
                    frames = browser.execute_async_script(_SCROLL)
                    late = renderer_memory(browser) - blank
                    tags = []
                    for i in range(20):
                        key = "12"[i % 2]
                        before = browser.execute_script(
                            "return document.getElementById('said').textContent"
                        )
                        begin = time.perf_counter()
                        ActionChains(browser).send_keys(key).perform()
                        wait(
                            browser,
                            "document.getElementById('said').textContent !== "
                            f"{before!r}",
                        )
                        tags.append(time.perf_counter() - begin)
            server.shutdown()
    frame = float(np.percentile(frames, 95))
    return seconds, early, late, frame, 1000 * statistics.median(tags)


def table() -> Table:
    """Measure the page."""
    made = Table(
        f"The page of mistakes with {EXAMPLES:,} pictures",
        "Seconds from the address to the first pictures, and a key that moves the "
        "choice (median of 5 fresh browsers, with the time of the driver). Memory that "
        "the renderer alone holds, beyond that of a blank page: at first, and after "
        "all pictures were scrolled through, a screen a frame; 95 % of these frames "
        "took less than so long. A tag by keyboard, until it is saved and counted.",
        ("pictures", "s", "MB at first", "MB scrolled", "ms a frame", "ms a tag"),
    )
    for name, shape in SHAPES.items():
        seconds, early, late, frame, tag = measure(shape)
        made.rows.append(
            (
                name,
                against(statistics.median(seconds), SECONDS, ".2f", at_most=True),
                against(early, MEGABYTES, ".0f", at_most=True),
                against(late, MEGABYTES, ".0f", at_most=True),
                against(frame, FRAME, ".0f", at_most=True),
                f"{tag:.0f}",
            )
        )
    return made


def main() -> None:
    """Run the command."""
    argparse.ArgumentParser(
        prog="python -m bench.errors_page", description=__doc__
    ).parse_args()
    for name, value in (describe_machine() | {"load": describe_load()}).items():
        print(f"- {name}: {value}")
    print(f"\n{table()}")


if __name__ == "__main__":
    main()
