"""Pages and docstrings say what is true: code runs, names and files exist."""

from __future__ import annotations

import ast
import contextlib
import fnmatch
import functools
import importlib
import inspect
import io
import re
import sys
import textwrap
from operator import attrgetter
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

import fastdl
from fastdl import nn
from tests.services import stand_ins

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
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


def shortened(code):
    """Return code that trains for one epoch and tries twice."""
    code = re.sub(r"\b(epochs|max_iter)=\d+", r"\1=1", code)
    return re.sub(r"\btrials=\d+", "trials=2", code)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the Python of a page, once; return its names and what it printed.

    Code that begins with the name of another framework is only
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
                above = text.count("\n", 0, block.start(1))  # an error names its line
                code = compile("\n" * above + shortened(block[1]), page, "exec")
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
    if "import pandas" in PAGES[page]:
        pytest.importorskip("pandas")
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


TREE = re.compile(r"^```{toctree}\n(.*?)^```", re.M | re.S)


def test_every_page_stands_in_the_contents():
    """The site cannot be built otherwise, but that takes longer."""
    wanted = {page for page in PAGES if page.startswith("docs/")}
    found, reached = set(), ["docs/index.md"]
    while reached:
        page = reached.pop()
        found.add(page)
        for tree in TREE.findall(PAGES[page]):
            for entry in re.findall(r"^[^:\s].*$", tree, re.M):
                pattern = str(PurePosixPath(page).parent / f"{entry}.md")
                reached += fnmatch.filter(wanted - found, pattern)
    assert found == wanted


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


# The examples in docstrings

# What follows a line that ends with "::", further in than that line.
EXAMPLE = re.compile(r"^( *)(?! |\.\. ).*::\n\n((?:(?:\1 +.*)?\n)+)", re.M)
NO_PYTHON = {  # equations, a drawing, a file in TOML
    "models.residual",
    "models.squeeze_excitation.SqueezeExcitation",
    "tape",
    "tune.space.read_space",
}


def examples():
    """Yield (where, code) of the examples in all docstrings."""
    for path in sorted((ROOT / "fastdl").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "fastdl").with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = f"{ast.get_docstring(node) or ''}\n"
                name = f"{module}.{getattr(node, 'name', '')}".rstrip(".")
                for example in EXAMPLE.finditer(text):
                    yield name, textwrap.dedent(example[2])


INDENTED = [*examples()]
EXAMPLES = [each for each in INDENTED if each[0] not in NO_PYTHON]

# What they take for granted, besides the names of their package and `given`.
GIVEN = {
    "autograd.register_hook": "x = Tensor(np.ones(3), requires_grad=True)",
    "data.mapped.MapDataset": """
        read, paths, labels = train.x.__getitem__, range(20), train.y
    """,
    "data.table.TableEncoder": """
        import pandas
        train = test = pandas.DataFrame({"age": [3.0, 4.0], "city": ["Rome", "Turin"]})
        y, trainer = [0, 1], Trainer(nn.Linear(None, 2))
    """,
    "functional.norm.normalize": "a, b = np.ones((2, 4, 3))",
    "interop.onnx.export.export_onnx": """
        import onnxruntime
        model, x = models.create("logistic"), np.zeros((2, 28, 28, 1), np.float32)
    """,
    "interop.onnx.load.load_onnx": """
        interop.export_onnx(model, "model.onnx")
    """,
    "interop.torch_state.load_torch_state": """
        resnet = models.create("resnet18", classes=1000)
        resnet.build((224, 224, 3))
        interop.save_torch_state(resnet, "resnet18.safetensors")
    """,
    "interop.torch_state.torch_state": """
        torch = SimpleNamespace(from_numpy=np.asarray)
        twin = SimpleNamespace(load_state_dict=dict)
    """,
    "nn.collection.ModuleList": "self = nn.Module()",
    "nn.multitask.MultiTaskLoss": """
        even, digit = (y % 2 == 0)[:, np.newaxis].astype(np.float32), y
        heads = {"even": nn.Linear(64, 1), "digit": nn.Linear(64, 10)}

        def model(x):
            return {name: head(x.reshape(-1, 64)) for name, head in heads.items()}
    """,
    "nn.transfer.freeze": """
        features = nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)])
        model = nn.Sequential({"features": features, "fc": nn.Linear(2, 2)})
    """,
    "parallel.ranks.Ranks": """
        parallel = SimpleNamespace(start=Ranks)  # without MPI
    """,
    "sklearn.classifier.FastClassifier": """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        X, y = x.reshape(-1, 64), y
    """,
    "sklearn.regressor.FastRegressor": """
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        X, y = x.reshape(-1, 64), y
    """,
    "strategy.corrections.Corrections": "parts = SimpleNamespace(dev=train)",
    "strategy.error_analysis.ErrorAnalysis": """
        from fastdl import cli
        cli.main(["train", "digits", "--epochs", "1", "--out", "runs/digits"])
    """,
    "strategy.pipeline.Pipeline": """
        finder = reader = network = SimpleNamespace(predict=lambda x: y)
        crop, places, digits = (lambda x, places: x), y, y
    """,
    "strategy.split.Split": """
        data = rows(1000)
        trainer = Trainer(nn.Linear(None, 2))
    """,
    "strategy.splits.split_sources": "web, mobile = rows(20_000), rows(10_000)",
    "strategy.synthesis.Mix": """
        train = np.random.default_rng(0).standard_normal((20, 1600)), np.zeros(20, int)
        noises = train[0][:9]
    """,
    "train.average.WeightAverage": "data = dev",
    "train.gradcheck.relative_difference": """
        cost, gradient = lambda x: (x**2).sum(), 2 * np.float64(x)
    """,
    "train.job.Job": """
        import dataclasses
        recipe = dataclasses.replace(train.recipe("digits"), epochs=1)
        train = SimpleNamespace(Job=Job, recipe=lambda name: recipe)
    """,
    "train.trunk.FrozenTrunk": """
        part = data.ArrayDataset(x, y % 7)
        splits = SimpleNamespace(train=part, test=part)
    """,
    "tune.search.search": """
        def make_trainer(lr, momentum):
            sgd = functools.partial(optim.SGD, lr=lr, momentum=momentum)
            return Trainer(nn.Linear(None, 2), optimizer=sgd)

        train = dev = rows(20)
    """,
}
NEEDS = {
    "data.table.TableEncoder": "pandas",
    "interop.onnx.export.export_onnx": "onnxruntime",
    "interop.onnx.load.load_onnx": "onnx",
    "sklearn.classifier.FastClassifier": "sklearn",
    "sklearn.regressor.FastRegressor": "sklearn",
    "train.tensorboard.TensorBoardLog": "tensorboardX",
    "tune.search.search": "optuna",
}


def rows(m):
    """Return m examples of two features and two classes."""
    from fastdl import data

    return data.ArrayDataset(np.zeros((m, 2), np.float32), np.arange(m) % 2)


def given(package):
    """Return names as an example in a package takes them to be."""
    rooms = (
        "data",
        "datasets",
        "interop",
        "metrics",
        "models",
        "nn",
        "optim",
        "parallel",
        "random",
        "strategy",
        "tune",
    )
    names = {room: importlib.import_module(f"fastdl.{room}") for room in rooms}
    names |= {
        "F": importlib.import_module("fastdl.functional"),
        "SimpleNamespace": SimpleNamespace,
        "Tensor": fastdl.Tensor,
        "Trainer": fastdl.Trainer,
        "fastdl": fastdl,
        "functools": functools,
        "init": nn.init,
        "np": np,
        "partial": functools.partial,
        "rng": np.random.default_rng(0),
        "rows": rows,
        "sqrt": np.sqrt,
    }
    # Two hundred digits, a network, and all that belongs to a training.
    whole = names["datasets"].load("digits")
    x, y = whole.train.x[:200], whole.train.y[:200]
    names |= dict.fromkeys(["train", "dev"], names["data"].ArrayDataset(x, y))
    model = nn.Sequential(
        {"flatten": nn.Flatten(), "layer4": nn.Linear(64, 8), "fc": nn.Linear(8, 10)}
    )
    model.build((8, 8, 1))
    optimizer = names["optim"].SGD(model.parameters(), lr=0.1)
    names |= {
        "criterion": nn.CrossEntropyLoss(),
        "digits": SimpleNamespace(train=names["train"], test=names["dev"]),
        "epochs": 2,
        "loader": names["data"].DataLoader(names["train"], 100),
        "model": model,
        "optimizer": optimizer,
        "trainer": fastdl.Trainer(model),
        "val_loss": 1.0,
        "x": x,
        "y": y,
    }
    # What the equations of optimisers begin with.
    arrays = ("grad", "m", "param", "square", "v")
    names |= {name: np.ones(3) for name in arrays} | {"step": 1, "eps": 1e-8}
    numbers = ("beta", "beta1", "beta2", "dampening", "lr", "momentum")
    names |= dict.fromkeys(numbers, 0.5)
    room = importlib.import_module(f"fastdl.{package}")
    return names | {name: getattr(room, name) for name in getattr(room, "__all__", ())}


@pytest.mark.parametrize(
    ("where", "code"), EXAMPLES, ids=[where for where, _ in EXAMPLES]
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_examples_of_docstrings_run(where, code, tmp_path, monkeypatch):
    pytest.importorskip(NEEDS.get(where, "numpy"))
    monkeypatch.chdir(tmp_path)
    fastdl.manual_seed(0)
    package = where.partition(".")[0]
    names = given(package)
    if package == "train":
        names["train"] = importlib.import_module("fastdl.train")
    exec(inspect.cleandoc(GIVEN.get(where, "")), names)
    exec(compile(shortened(code), where, "exec"), names)


def test_what_is_given_is_asked_for():
    assert {*GIVEN, *NEEDS} <= {where for where, _ in EXAMPLES}
    assert {*NO_PYTHON} <= {where for where, _ in INDENTED}
