"""Fixtures for the tests of every floor, a real browser among them."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from fastdl import backend, random
from fastdl.autograd import Tensor, no_grad
from fastdl.report import style
from fastdl.report.page import results

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


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Spare Python the search for garbage in twenty thousand tests, now and later."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(params=["compiled", "reference"])
def each_backend(request):
    """Bind the kernels of one backend for the test; return its name."""
    before = backend.name
    try:
        backend.use(request.param)
    except ImportError as error:
        pytest.skip(f"the compiled kernels are not built: {error}")
    yield request.param
    backend.use(before)


def _check_gradients(function, *arrays, step=1e-6, rtol=1e-5, atol=1e-8):
    tensors = [Tensor(array, requires_grad=True, dtype=np.float64) for array in arrays]
    result = function(*tensors)
    weights = np.random.default_rng(0).standard_normal(result.shape)
    result.backward(weights)

    @no_grad()
    def weighted():
        values = [Tensor(tensor.data) for tensor in tensors]
        return float((function(*values).data * weights).sum())

    for tensor in tensors:
        tensor.data = tensor.data.copy()
        flat = tensor.data.reshape(-1)
        slopes = np.empty_like(flat)
        for i, value in enumerate(flat.copy()):
            flat[i] = value + step
            above = weighted()
            flat[i] = value - step
            below = weighted()
            flat[i] = value
            slopes[i] = (above - below) / (2 * step)
        assert tensor.grad.dtype == np.float64
        np.testing.assert_allclose(
            tensor.grad, slopes.reshape(tensor.shape), rtol=rtol, atol=atol
        )


@pytest.fixture(scope="session")
def check_gradients():
    """Compare the gradients of a function of tensors with central differences.

    ``check_gradients(f, *arrays)`` calls ``f`` with a float64 tensor for each array and
    checks the gradient of a random weighted sum of the result with respect to every
    element of every array. ``f`` must give the same result each time.
    """
    return _check_gradients


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts():
    """Ctrl-C raises KeyboardInterrupt; a job in the background inherits "ignore"."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """Unseeded weights would let a test of learning fail once in a while."""
    random.seed(0)


@pytest.fixture(autouse=True, scope="session")
def quick_reports():
    """Hundreds of runs write one: short measurements, small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "_SECONDS", 0.01)
        patch.setattr(style, "_DPI", 50)
        yield


@pytest.fixture(scope="module")
def without_pictures():
    """The trainings of a module draw nothing, which may take as long as they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture
def limit_memory():
    """Refuse what is beyond so many bytes more than now; all systems but Linux do not.

    ``limit_memory(2**28)``, to the end of the test.
    """
    if "TSAN_OPTIONS" in os.environ:
        pytest.skip("the thread sanitizer needs any amount of memory")
    if sys.platform != "linux":
        yield lambda size: None
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)

    def limit(size):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        now = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="session")
def elsewhere():
    """The environment for programs other than Python: without a sanitizer in them."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


@pytest.fixture(scope="session")
def browser(tmp_path_factory, elsewhere):
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
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver, env=elsewhere))
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
