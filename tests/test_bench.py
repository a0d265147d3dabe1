"""The benchmarks time every operation, on shapes where it is right."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from fastdl import reference

kernels = pytest.importorskip(
    "fastdl.kernels", reason="the compiled kernels are not built"
)

from bench import bench_conv2d, harness, networks, scaling  # noqa: E402
from bench.compare import change  # noqa: E402
from bench.harness import Timing  # noqa: E402
from bench.kernels import CASES  # noqa: E402
from bench.tables import of_each_isa  # noqa: E402
from fastdl.kernels.engine import runtime  # noqa: E402

LAYERS = bench_conv2d.LAYERS | bench_conv2d.DEPTHWISE


def test_every_operation_has_a_benchmark():
    """DESIGN: the same file name on every floor."""
    folder = Path(reference.__file__).parent
    operations = {path.stem for path in folder.glob("[a-z]*.py")}
    assert {f"bench_{name}" for name in (*operations, "between")} == set(CASES)
    assert all(CASES.values())


@pytest.mark.parametrize("direction", ["forward", "gradients"])
@pytest.mark.parametrize("layer", LAYERS)
def test_timed_convolutions_equal_the_reference(layer, direction):
    """One image of each layer of the tables, its sides at most 64 pixels."""
    _, c, size, *rest = LAYERS[layer]
    work = bench_conv2d.work(direction, 1, c, min(size, 64), *rest)
    actual, expected = work.ours(kernels), work.ours(reference)
    if direction == "forward":
        actual, expected = (actual,), (expected,)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-4 * np.abs(e).max())


def test_products_with_padding_are_no_work():
    """A 3 x 3 filter on 4 x 4 pixels: 4 corners of 4 taps, 8 edges of 6, 4 of 9."""
    s = bench_conv2d.shapes.conv2d((2, 4, 4, 5), (3, 3, 5, 7), padding=1)
    assert bench_conv2d.products(s) == 2 * (4 * 4 + 8 * 6 + 4 * 9) * 5 * 7
    s = bench_conv2d.shapes.conv2d((2, 4, 4, 6), (3, 3, 1, 6), groups=6)
    assert bench_conv2d.products(s) == 2 * 4 * 9 * 6


@pytest.mark.parametrize("case", CASES["bench_between"], ids=lambda case: case.name)
def test_timed_operations_between_products_return_arrays(case):
    """The forward pass, or with its backward pass y and the gradient of x."""
    result = case.setup().ours(kernels)
    arrays = result if isinstance(result, tuple) else (result,)
    assert len(arrays) == 1 + ("both" in case.name)
    assert all(np.isfinite(array).all() and array.any() for array in arrays)


def test_multiply_adds_of_a_step():
    """Forward and the gradient of the weights, and of the input but the first."""
    mlp = networks.NETWORKS["MLP 64-32-10"]
    assert networks.multiply_adds(mlp) == 32 * (2 * 64 * 32 + 3 * 32 * 10)
    lenet = networks.NETWORKS["LeNet-5"]
    first = 28 * 28 * 5 * 5 * 1 * 6
    others = 10 * 10 * 5 * 5 * 6 * 16 + 400 * 120 + 120 * 84 + 84 * 10
    assert networks.multiply_adds(lenet) == 64 * (2 * first + 3 * others)


def test_the_peak_is_a_side():
    peak = harness.Peak()
    harness.measure({"peak": peak}, repeats=1)
    assert peak.flops > 1e8


def test_the_processor_is_named():
    assert f"{os.cpu_count()} cores" in harness.describe_machine()["processor"]


def test_a_grid_stands_in_its_table():
    table = harness.Table("title", "text", ("name", "x"), [("a", "1.0")], "after")
    assert table.grid().splitlines()[-1] == "| a    | 1.0 |"
    assert str(table) == f"## title\n\ntext\n\n{table.grid()}\n\nafter\n"


def test_all_sides_are_measured_equally_often():
    calls = {"a": 0, "b": 0}

    def count(name):
        calls[name] += 1
        sum(range(30_000))

    sides = {name: (lambda name=name: count(name)) for name in calls}
    times = harness.measure(sides, repeats=4)
    assert all(0 < t.low <= t.median <= t.high for t in times.values())
    assert min(calls.values()) >= 4


def test_disagreeing_sides_raise():
    y = np.ones((2, 3, 4), np.float32)
    harness.check_equal("case", y, y.transpose(2, 0, 1))
    with pytest.raises(AssertionError, match="case: the sides disagree"):
        harness.check_equal("case", y, 2 * y)


def test_goals():
    assert harness.against(2.0, None, ".2f") == "2.00"
    assert harness.against(2.0, 1.5, ".2f") == "2.00 (≥ 1.5)"
    assert harness.against(1.0, 1.5, ".2f") == "**1.00** (≥ 1.5)"
    assert harness.against(1.0, 1.5, ".1f", at_most=True) == "1.0 (≤ 1.5)"
    assert harness.geometric_mean([1, 4]) == pytest.approx(2)
    assert math.isnan(harness.geometric_mean([]))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Timing(1.04, 1.04, 1.04), 0),  # too little
        (Timing(1.2, 1.2, 1.2), 0.2),
        (Timing(0.8, 0.8, 0.8), -0.2),
        (Timing(1.2, 1.1, 1.3), 0),  # within the noise
    ],
)
def test_a_change_beyond_noise(after, expected):
    assert change(Timing(1.0, 1.0, 1.0), after) == pytest.approx(expected)


# Tables ------------------------------------------------------------------------------


def made():
    """Return a table that tells which instruction set made it, and the peer's."""
    peers = os.environ.get("ATEN_CPU_CAPABILITY", "best")
    return harness.Table("title", peers, (runtime.get_isa(),))


def test_each_instruction_set_above_generic_has_its_table(monkeypatch):
    monkeypatch.delenv("FASTDL_ISA", raising=False)
    isas = runtime.available_isas()[:0:-1]
    tables = dict(of_each_isa("steps", made))
    if len(isas) < 2:
        assert list(tables) == ["steps"]
        return
    assert list(tables) == [f"steps {name}" for name in isas]
    assert [table.header for table in tables.values()] == [(name,) for name in isas]
    assert tables["steps avx2"].title == "title, AVX2"
    assert tables["steps avx2"].text == "avx2"
    assert "FASTDL_ISA" not in os.environ


def test_a_chosen_instruction_set_is_the_only_one(monkeypatch):
    monkeypatch.setenv("FASTDL_ISA", runtime.get_isa())
    ((key, table),) = of_each_isa("steps", made)
    assert (key, table.title) == ("steps", "title")


def test_tables_of_the_whole_machine_are_made_once(monkeypatch):
    monkeypatch.delenv("FASTDL_ISA", raising=False)
    ((key, _),) = of_each_isa("load", made)
    assert key == "load"


# More cores --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "threads", "cost", "expected"),
    [
        ([3, 1, 1, 1], 2, 0, 3),
        ([1, 1, 1, 3], 2, 0, 4),  # the long one comes last
        ([1, 1, 1], 2, 0, 2),
        ([1, 1], 8, 0, 1),  # six find nothing
        ([1, 1, 1], 2, 0.5, 2.25),  # the caller does two
        ([], 2, 0.5, 0.5),
    ],
)
def test_makespan(tasks, threads, cost, expected):
    assert scaling.makespan(tasks, threads, cost) == expected


def test_a_step_is_simulated():
    part = scaling.Part("x", 1.0, [np.ones(4), np.ones(2)], bytes=10)
    fast, slow = scaling.Machine(0.0), scaling.Machine(0.0, bandwidth=2.0)
    assert scaling.seconds([part, part], 1, slow) == 14
    assert scaling.simulate(part, 2, fast) == (4, (1, 0, 0, 0))
    assert scaling.simulate(part, 4, fast) == (3, (3, 0, 2, 0))
    assert scaling.simulate(part, 4, slow) == (6, (3, 0, 2, 12))


def test_waking_more_helpers_takes_longer():
    machine = scaling.Machine(waking=0.5)
    assert [machine.cost(threads) for threads in (1, 2, 8)] == [0, 0.5, 1.5]
    part = scaling.Part("x", 0.0, [np.ones(8)])
    assert scaling.simulate(part, 2, machine) == (4.5, (0, 1, 0, 0))


def test_what_limits_is_named_first():
    """On 16 threads: 15 wait for one second of Python, 14 while two tasks run."""
    parts = [
        scaling.Part("before x", 0.0, []),
        scaling.Part("x 2x3", 0.0, [np.ones(2)]),
        scaling.Part("before y", 1.0, []),
    ]
    text = scaling.limiting("a network", parts, scaling.Machine(0.0))
    rows = [row.split("|")[1:-1] for row in text.splitlines() if row.startswith("| ")]
    cells = [[cell.strip() for cell in row] for row in rows[2:]]
    assert cells[0] == [
        "before y",
        "1",
        "",
        "1000.0",
        "51.7",
        "0.0",
        "0.0",
        "0.0",
        "51.7",
    ]
    assert cells[1][:4] == ["x 2x3", "1", "2 to 2", "2000.0"]
    assert cells[1][4:] == ["0.0", "0.0", "48.3", "0.0", "48.3"]
    assert cells[2][0] == "before x"


def test_the_cache_holds_what_was_used_last():
    a, b, c = (np.zeros(4, np.float32) for _ in range(3))
    cache = scaling.Cache(2 * a.nbytes)
    assert [cache.use(x) for x in (a, b, a)] == [16, 16, 0]
    assert [cache.use(x) for x in (c, a, b)] == [16, 0, 16]


def test_what_was_written_moves_when_the_cache_needs_its_place():
    a, b, c = (np.zeros(4, np.float32) for _ in range(3))
    cache = scaling.Cache(2 * a.nbytes)
    assert [cache.use(x, writes=True) for x in (a, b, a)] == [0, 0, 0]
    assert [cache.use(x) for x in (a, c, c)] == [0, 16 + 16, 0]
    assert scaling.Cache(0).use(a, writes=True) == 16


def test_a_recorded_step_has_all_its_kernels(monkeypatch):
    monkeypatch.setattr(scaling, "last_level_cache", lambda: 0)
    model = networks.built(networks.NETWORKS["LeNet-5"])
    x, labels = networks.batch(networks.NETWORKS["LeNet-5"])
    step = networks.training_step(model, x, labels)
    parts = scaling.record(step, repeats=2)
    names = [part.operation.split()[0] for part in parts]
    assert names[0] == "before"
    assert names[-1] == "after"
    convolutions = ["conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"]
    assert [names.count(name) for name in convolutions] == [2, 1, 2]
    assert names.count("adam_step") == 1
    first = parts[names.index("conv2d_forward")]
    assert "64x28x28x1" in first.operation
    assert first.loops
    assert first.bytes == x.nbytes + 4 * (5 * 5 * 6 + 6) + 6 * x.nbytes
    assert all(part.serial >= 0 for part in parts)
