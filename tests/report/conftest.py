"""Finished runs, and a real browser, for the tests of pages."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from fastdl.cli import main
from fastdl.report.png import encode_png

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium, driven by selenium; one for all tests.

    It keeps everything that pages write to the console: ``browser.get_log("browser")``.
    """
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="pip install selenium to test pages in a browser"
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip(
            "no chromium and chromedriver in PATH: apt install chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def window(browser):
    """Set the size of the page in CSS pixels, and its colour scheme.

    ``window(390, 844, scheme="dark")``; a phone or a desktop alike.
    """

    def resize(width, height, scheme="light"):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": width < 600,
            },
        )
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )

    yield resize
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a run of one epoch; read only."""
    return _train(tmp_path_factory, "digits", "digits")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory):
    """A run of two classes whose names, like that of its folder, want to be HTML."""
    root = tmp_path_factory.mktemp("pictures")
    _write_pictures(root, HOSTILE, 40)
    name = "<i onclick=alert(1)>&amp;"
    return _train(tmp_path_factory, name, str(root), "--model", "logistic")


@pytest.fixture(scope="session")
def many_run(tmp_path_factory):
    """A run of a hundred classes."""
    root = tmp_path_factory.mktemp("pictures")
    _write_pictures(root, [f"kind {i:02}" for i in range(100)], 10)
    return _train(tmp_path_factory, "many", str(root), "--model", "logistic")


HOSTILE = ("<script>document.title='x'", "\"><img src=x onerror='document.title=1'>")


def _write_pictures(root, classes, count):
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            (root / name / f"{i}.png").write_bytes(encode_png(pixels))


def _train(tmp_path_factory, name, *options):
    path = tmp_path_factory.mktemp("runs") / name
    argv = ["train", *options, "--epochs", "1", "--no-report", "--out", str(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)  # its pictures take two seconds
        assert main(argv) == 0
    return path
