"""The pages say what is true: their code runs, their names and files exist."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import re
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdl import nn
from tests.services import stand_ins

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?://)([^)]*)\)")
# In backticks, a path with a folder and an ending, perhaps to a test.
FILE = re.compile(r"`([\w.]+/[\w./]+\.\w+)(?:::\w+)?`")
OTHER_FRAMEWORKS = ("# PyTorch\n", "# Keras\n")

SERVICES = stand_ins()

pages = pytest.mark.parametrize("page", PAGES)

# Weights of the network in docs/coming_from_pytorch.md, as PyTorch would save them.
RNG = np.random.default_rng(0)
FROM_TORCH = {
    name: RNG.standard_normal(shape, dtype=np.float32)
    for name, shape in {
        "0.weight": (8, 1, 3, 3),
        "0.bias": (8,),
        "4.weight": (10, 128),
        "4.bias": (10,),
    }.items()
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the Python of a page, once; return its names and what it printed.

    One epoch is enough. Code that begins with the name of another framework is only
    compiled.
    """

    @functools.cache
    def run_page(page):
        text = PAGES[page]
        names, printed = {"__name__": page}, io.StringIO()
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.chdir(tmp_path_factory.mktemp("page"))
            for name, module in SERVICES.items():
                patch.setitem(sys.modules, name, module)
            save_file(FROM_TORCH, "weights.safetensors")
            stack.enter_context(contextlib.redirect_stdout(printed))
            for block in PYTHON.finditer(text):
                short = re.sub(r"\b(epochs|max_iter)=\d+", r"\1=1", block[1])
                above = text.count("\n", 0, block.start(1))  # an error names its line
                code = compile("\n" * above + short, page, "exec")
                if not block[1].startswith(OTHER_FRAMEWORKS):
                    exec(code, names)
        return names, printed.getvalue()

    return run_page


@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(PAGES[page])])
def test_python_runs(page, run):
    if "fastdl.sklearn" in PAGES[page]:
        pytest.importorskip("sklearn", minversion="1.6")
    if "onnxruntime" in PAGES[page]:
        pytest.importorskip("onnxruntime")
    if "TensorBoardLog" in PAGES[page]:
        pytest.importorskip("tensorboardX")
    run(page)


def test_readme_learns(run):
    _, printed = run("README.md")
    assert ast.literal_eval(printed)["accuracy"] > 0.8


def test_readme_keeps_its_promise_of_25_lines():
    scripts = PYTHON.findall(PAGES["README.md"])
    script, loop = (code.count("\n") for code in scripts)
    assert script <= 25
    assert loop < 15


def channels_first(x):
    """Compute the network of `FROM_TORCH` as PyTorch defines it, on x (n, 1, 8, 8)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    y = np.einsum("ncijhw,ochw->noij", windows, FROM_TORCH["0.weight"])
    y = np.maximum(y + FROM_TORCH["0.bias"][:, np.newaxis, np.newaxis], 0)
    y = y.reshape(len(x), 8, 4, 2, 4, 2).max(axis=(3, 5))
    return y.reshape(len(x), -1) @ FROM_TORCH["4.weight"].T + FROM_TORCH["4.bias"]


def test_weights_from_pytorch_give_the_same_outputs(run):
    names, _ = run("docs/coming_from_pytorch.md")
    x = np.random.default_rng(1).standard_normal((5, 1, 8, 8), dtype=np.float32)
    y = names["network"](x.transpose(0, 2, 3, 1)).numpy()
    np.testing.assert_allclose(y, channels_first(x), rtol=1e-4, atol=1e-4)


def test_depthwise_weights_from_keras_keep_their_channels(run):
    """Output channel k * multiplier + q is filter q of input channel k."""
    names, _ = run("docs/coming_from_keras.md")
    rng = np.random.default_rng(1)
    kernel, x = rng.standard_normal((3, 3, 4, 2)), rng.standard_normal((1, 3, 3, 4))
    layer = nn.Conv2d(4, 8, 3, groups=4, bias=False).astype(np.float64)
    layer.weight.data[...] = names["from_keras_depthwise"](kernel)
    expected = np.einsum("nijk,ijkq->nkq", x, kernel).reshape(1, 1, 1, 8)
    np.testing.assert_allclose(layer(x).numpy(), expected)


def test_broadcasting_is_refused_as_the_page_says(run):
    _, printed = run("docs/coming_from_pytorch.md")
    assert "(4, 1)" in printed
    assert "(4,)" in printed


def test_services_get_what_the_page_says(run):
    """One epoch each: MLflow and Weights & Biases."""
    pytest.importorskip("tensorboardX")
    names, _ = run("docs/logs.md")
    *_, before, last = names["trainer"].history.rows
    measured = {name: value for name, value in before.items() if name != "epoch"}
    start, settings, metrics, model, end = SERVICES["mlflow"].calls
    assert (start, model, end) == ("start", "model.safetensors", "FINISHED")
    assert settings["data"] == "digits"
    assert "Adam" in settings["optimizer"]
    assert metrics == (before["epoch"], measured)
    begun, (step, logged), finished = SERVICES["wandb"].calls
    assert begun[0] == "digits"
    assert "Adam" in begun[1]["optimizer"]
    assert (step, finished) == (last["epoch"], "finish")
    sizes = {n: p.size for n, p in names["trainer"].model.named_parameters()}
    shown = {name: f"histogram of {size} numbers" for name, size in sizes.items()}
    assert logged == last | shown


@pages
def test_links_lead_somewhere(page):
    headings = re.findall(r"^#+ (.*)$", PAGES[page], re.M)
    anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    for target in LINK.findall(PAGES[page]):
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file
        if path.suffix == ".png" and not (ROOT / "docs" / "gallery").exists():
            continue  # a source distribution has no pictures
        assert path.exists(), target
        assert file or anchor in anchors, target


@pages
def test_named_files_exist(page):
    missing = {name for name in FILE.findall(PAGES[page]) if not (ROOT / name).exists()}
    assert not missing


# The table of abilities


def rows(text):
    """Return the cells of each line that begins with a number of the specification."""
    lines = [line for line in text.splitlines() if line.startswith("| S")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


COVERED = rows(PAGES["docs/coverage.md"])
covered = pytest.mark.parametrize("row", COVERED, ids=lambda row: row[0])


def test_every_number_stands_once():
    numbers = [row[0] for row in COVERED]
    assert sorted(numbers) == [f"S{number:02}" for number in range(1, 45)]


@covered
def test_names_import(row):
    names = re.findall(r"`([\w.]+)`", row[2])
    assert names
    for name in names:
        attrgetter(name)(importlib.import_module("fastdl"))


@covered
def test_tests_exist_and_say_their_number(row):
    tests = re.findall(r"`([\w/.]+)::(\w+)`", row[3])
    assert tests
    for file, name in tests:
        source = (ROOT / file).read_text(encoding="utf-8")
        tree = ast.parse(source)
        functions = [node for node in tree.body if getattr(node, "name", "") == name]
        assert len(functions) == 1, f"{file} has no test {name}"
        said = f"{ast.get_docstring(tree)} {ast.get_source_segment(source, *functions)}"
        assert row[0].lower() in said.lower(), f"{name} does not say {row[0]}"
