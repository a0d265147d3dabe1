"""The tables of single kernels."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np

from bench import bench_conv2d, bench_matmul, bench_softmax, peer
from bench.harness import (
    SIZES,
    Case,
    Function,
    Peak,
    Table,
    Work,
    against,
    check_equal,
    copy_bandwidth,
    error,
    fastest,
    geometric_mean,
    measure,
    with_algorithm,
)
from fastdl import kernels, reference
from fastdl.kernels.engine import runtime

CASES: dict[str, list[Case]] = {
    path.stem: import_module(f"bench.{path.stem}").CASES
    for path in sorted(Path(__file__).parent.glob("bench_*.py"))
}
"""The cases of each file, by its name."""


ISA_CASES = [
    f"{layer} {direction}"
    for layer in ("lenet2", "cs39_3", "cifar_stem", "r18_64", "r18_256", "alex1")
    for direction in ("forward", "dx", "dweight")
] + ["256x512 512x512 forward"]


def of_one_kernel() -> list[Case]:
    """Return all cases but those that time several kernels together."""
    together = ("gradients", bench_softmax.BOTH)
    return [
        case
        for file, cases in CASES.items()
        for case in cases
        if file != "bench_between" and not any(words in case.name for words in together)
    ]


def limited_by_memory() -> list[Case]:
    """Return the cases with a goal but those of products."""
    return [
        case
        for file, cases in CASES.items()
        for case in cases
        if case.goals and file not in ("bench_conv2d", "bench_matmul")
    ]


def _sides(case: Case, work: Work) -> dict[str, Function]:
    """Return fastdl, and the peer in its best form when it is installed."""
    sides: dict[str, Function] = {"fastdl": partial(work.ours, kernels)}
    forms = work.peers() if peer.available() else []
    if forms:
        check_equal(case.name, work.ours(kernels), forms[0]())
        sides["peer"] = fastest(forms)
    return sides


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3f}"


def _error_of_winograd(work: Work) -> str:
    """Return the error of the default algorithm, as a multiple of the direct sum's."""
    assert work.exact is not None
    ours = partial(work.ours, kernels)
    exact = with_algorithm("direct", work.exact)()
    auto, direct = ours(), with_algorithm("direct", ours)()
    return f"{error(auto, exact) / error(direct, exact):.1f}"


def conv2d(repeats: int) -> Table:
    """Convolutions against the peer and the peak, with Winograd and without."""
    table = Table(
        "Convolutions",
        "Milliseconds of one pass; gradients is both gradients together. auto chooses "
        "Winograd for 3 x 3 filters of stride 1 where it is faster, direct never does; "
        "elsewhere there is only the direct sum. "
        "Ratios are peer time / fastdl time. 100 % is the peak of multiply-adds on "
        "registers, measured in turn with the rest; products with padding do not count "
        "as work, so Winograd can exceed it. The error is that of Winograd against "
        "float64, in units of the direct sum's. A goal follows in brackets, and a "
        "figure that misses it is bold.",
        ("layer, pass", "auto", "direct", "peer", "ratio", "ratio direct", "% of peak",
         "% direct", "error"),
    )  # fmt: skip
    ratios, direct_ratios = [], []
    for case in bench_conv2d.CASES:
        work = case.setup()
        sides = _sides(case, work)
        if work.winograd:
            sides["direct"] = with_algorithm("direct", sides["fastdl"])
        sides["peak"] = peak = Peak()
        times = table.timings[case.name] = measure(sides, repeats)
        auto = times["fastdl"].median
        direct = times.get("direct", times["fastdl"]).median
        percent = 100 * work.flops / peak.flops
        row = [case.name, _ms(auto), _ms(direct), "", "", ""]
        if "peer" in times:
            theirs = times["peer"].median
            ratios.append(theirs / auto)
            direct_ratios.append(theirs / direct)
            row[3:] = [
                _ms(theirs),
                against(ratios[-1], case.goals.get("ratio"), ".2f"),
                against(direct_ratios[-1], case.goals.get("direct"), ".2f"),
            ]
        row.append(f"{percent / auto:.0f}")
        row.append(against(percent / direct, case.goals.get("percent"), ".0f"))
        row.append(_error_of_winograd(work) if work.winograd else "")
        table.rows.append(row)
    if ratios:
        table.after = (
            f"Geometric mean of the ratios: {geometric_mean(ratios):.2f} auto, "
            f"{geometric_mean(direct_ratios):.2f} direct."
        )
    return table


def instruction_sets(repeats: int) -> Table:
    """Time some products with each instruction set of this machine."""
    isas = runtime.available_isas()[::-1]
    table = Table(
        "Instruction sets",
        "Milliseconds of direct convolutions and of dense layers, and in brackets the "
        "share of the peak that this instruction set has.",
        ("layer, pass", *isas),
    )
    before = runtime.get_isa()
    for case in chain(bench_conv2d.CASES, bench_matmul.CASES):
        if case.name not in ISA_CASES:
            continue
        work = case.setup()

        def run(isa: str, function: Function) -> None:
            runtime.set_isa(isa)
            function()

        product = with_algorithm("direct", partial(work.ours, kernels))
        peaks = {isa: Peak() for isa in isas}
        sides = {isa: partial(run, isa, product) for isa in isas}
        sides |= {f"peak {isa}": partial(run, isa, peaks[isa]) for isa in isas}
        times = table.timings[case.name] = measure(sides, repeats)
        row = [case.name]
        for isa in isas:
            time = times[isa].median
            percent = 100 * work.flops / time / peaks[isa].flops
            row.append(f"{_ms(time)} ({percent:.0f} %)")
        table.rows.append(row)
    runtime.set_isa(before)
    return table


def dense(repeats: int) -> Table:
    """Products against the peer, NumPy's linear algebra and the peak."""
    table = Table(
        "Products",
        "Dense layers, and convolutions as the products that they are: forward is x w "
        "with the bias, dx is dy w^T, dweight is x^T dy; named by the shapes of x and "
        "w. Columns as above; NumPy is its linear algebra library on the same arrays, "
        "and the second ratio is its time / fastdl time.",
        ("product", "fastdl ms", "peer ms", "NumPy ms", "ratio", "ratio NumPy",
         "% of peak"),
    )  # fmt: skip
    for case in bench_matmul.CASES:
        work = case.setup()
        sides = _sides(case, work)
        sides["NumPy"] = partial(work.ours, reference)
        sides["peak"] = peak = Peak()
        times = table.timings[case.name] = measure(sides, repeats)
        ours, numpy = times["fastdl"].median, times["NumPy"].median
        percent = 100 * work.flops / ours / peak.flops
        row = [
            case.name,
            _ms(ours),
            "",
            _ms(numpy),
            "",
            against(numpy / ours, case.goals.get("numpy"), ".2f"),
            against(percent, case.goals.get("percent"), ".0f"),
        ]
        if "peer" in times:
            theirs = times["peer"].median
            row[2] = _ms(theirs)
            row[4] = against(theirs / ours, case.goals.get("ratio"), ".2f")
        table.rows.append(row)
    return table


def memory(repeats: int) -> Table:
    """Kernels that wait for memory, against the peer and against plain copies."""
    table = Table(
        "Kernels limited by memory",
        "Microseconds of one call. Goals: a ratio of 1.5 on arrays of 1 MB; on 8 MB "
        "1.3, or 80 % of the bytes per second that copying such an array reaches, "
        "where each byte counts as often as a kernel without caches has to move it.",
        ("kernel", "fastdl µs", "peer µs", "ratio", "GB/s", "% of copy"),
    )
    ratios = []
    for case in limited_by_memory():
        work = case.setup()
        times = table.timings[case.name] = measure(_sides(case, work), repeats)
        ours = times["fastdl"].median
        goals = dict(case.goals)
        microseconds = against(
            1e6 * ours, case.goals.get("microseconds"), ".1f", at_most=True
        )
        speed = work.bytes / ours
        percent = 100 * speed / copy_bandwidth(SIZES["8 MB"])
        row = [case.name, microseconds, "", "", f"{speed / 1e9:.1f}", ""]
        if "peer" in times:
            theirs = times["peer"].median
            ratios.append(theirs / ours)
            if ratios[-1] >= goals.get("ratio", 0):
                goals.pop("percent", None)  # one of the two is enough
            elif percent >= goals.get("percent", np.inf):
                del goals["ratio"]
            ratio = against(ratios[-1], goals.get("ratio"), ".2f")
            row[2:4] = [f"{1e6 * theirs:.1f}", ratio]
        if "percent" in case.goals:
            row[5] = against(percent, goals.get("percent"), ".0f")
        table.rows.append(row)
    if ratios:
        table.after = f"Geometric mean of the ratios: {geometric_mean(ratios):.2f}."
    return table


def against_reference(repeats: int) -> Table:
    """Every kernel against the NumPy function of the same name."""
    table = Table(
        "Against the NumPy reference",
        "Microseconds of one call; the reference computes the same on the same arrays "
        "in the same run, with the threads of NumPy's linear algebra.",
        ("kernel", "fastdl µs", "reference µs", "times as fast"),
    )
    ratios = []
    for case in of_one_kernel():
        work = case.setup()
        sides: dict[str, Function] = {
            "fastdl": partial(work.ours, kernels),
            "reference": partial(work.ours, reference),
        }
        check_equal(case.name, sides["fastdl"](), sides["reference"]())
        times = table.timings[case.name] = measure(sides, max(3, repeats // 5))
        ours, theirs = times["fastdl"].median, times["reference"].median
        ratios.append(theirs / ours)
        cells = (f"{1e6 * ours:.1f}", f"{1e6 * theirs:.1f}", f"{ratios[-1]:.1f}")
        table.rows.append((case.name, *cells))
    table.after = (
        f"Geometric mean: {against(geometric_mean(ratios), 10, '.1f')} times as fast "
        f"as NumPy, over {len(ratios)} rows."
    )
    return table
