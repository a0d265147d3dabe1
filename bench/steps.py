"""The tables of whole networks: training steps, predictions, memory, a busy machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import fastdl
from bench import peer
from bench.harness import (
    Function,
    Peak,
    Table,
    against,
    check_equal,
    fastest,
    geometric_mean,
    measure,
    with_algorithm,
    with_runtime,
)
from bench.networks import (
    CLASSIC,
    LR,
    NETWORKS,
    Network,
    batch,
    built,
    inference,
    multiply_adds,
    training_step,
)
from fastdl import kernels
from fastdl.nn.dropout import DropLayer

LATENCY = {  # ratios to reach
    "LeNet-5": (NETWORKS["LeNet-5"], 5.0),
    "ResNet-20": (NETWORKS["ResNet-20"], 3.0),
    "ResNet-18": (NETWORKS["ResNet-18"], 1.0),
    "ResNet-50, 224 x 224": (CLASSIC["ResNet-50"], 1.0),
    "MobileNet v2, 224 x 224": (CLASSIC["MobileNet v2"], None),
}
PEERS = ("peer", "compiled", "JAX")
CLASSIC_SAMPLES = 7  # of steps that take a second


def _step_sides(
    network: Network, compiled: bool = False, jax: bool = True
) -> dict[str, Function]:
    """Return a training step of fastdl and of each peer, from equal weights."""
    model = built(network)
    x, labels = batch(network)
    sides = {}
    if peer.available():
        from bench.peer_networks import training_steps, translate

        theirs = translate(model, network.input_shape)
        for name in ("peer", "compiled") if compiled else ("peer",):
            steps = training_steps(theirs, x, labels, LR, name == "compiled")
            sides[name] = fastest(steps)
    if jax and find_spec("jax"):
        from bench import jax_networks

        sides["JAX"] = jax_networks.training_step(model, x, labels, LR)
    ours = training_step(model, x, labels)
    if not any(isinstance(layer, DropLayer) for layer in model.modules()):
        for name, step in sides.items():
            check_equal(f"first loss of {name}", ours(), step())
    return {"fastdl": ours, **sides}


def training(repeats: int, compiled: bool = False) -> Table:
    """Training steps: forward, loss, backward, Adam."""
    table = Table(
        "Training steps",
        "Milliseconds of forward, cross-entropy, backward and Adam, float32. The peer "
        "runs in its faster layout with its fused Adam, eager; compiled is the same "
        "through its compiler, JAX a whole step as one compiled function; a peer that "
        "is not installed, or a compiler that was not asked for (--compiled), has no "
        "figure. fastdl's threads are OpenMP's; pool is the other runtime, and direct "
        "is without Winograd. Ratios are time of the fastest peer / time of fastdl. "
        "Over the floor is fastdl's time x the peak that was measured in turn with it "
        "/ the operations of the direct products (two a multiply-add; forward and both "
        "gradients, the first layer's input needs none): it compares machines, and "
        "Winograd can bring it below 1.",
        ("network, batch", "fastdl", "pool", "direct", *PEERS, "ratio", "ratio direct",
         "over the floor"),
    )  # fmt: skip
    ratios, peaks = [], []
    for name, network in NETWORKS.items():
        sides = _step_sides(network, compiled)
        step = sides["fastdl"]
        sides["fastdl"] = with_runtime("openmp", step)
        sides["pool"] = with_runtime("pool", step)
        sides["direct"] = with_algorithm("direct", sides["fastdl"])
        sides["peak"] = peak = Peak()
        times = table.timings[name] = measure(sides, repeats)
        milliseconds = {side: 1e3 * time.median for side, time in times.items()}
        row = [
            f"{name}, {network.batch}",
            against(milliseconds["fastdl"], network.goal, ".3f", at_most=True),
        ]
        for side in ("pool", "direct", *PEERS):
            row.append(f"{milliseconds[side]:.3f}" if side in milliseconds else "")
        peers = [milliseconds[side] for side in PEERS if side in milliseconds]
        if peers:
            ratios.append(min(peers) / milliseconds["fastdl"])
            row.append(against(ratios[-1], network.ratio, ".2f"))
            row.append(f"{min(peers) / milliseconds['direct']:.2f}")
        else:
            row += ["", ""]
        peaks.append(peak.flops)
        floor = 2 * multiply_adds(network) / peak.flops
        over = times["fastdl"].median / floor
        table.rows.append([*row, against(over, network.floor, ".2f", at_most=True)])
    table.after = f"Peak: {1e-9 * geometric_mean(peaks):.0f} GFLOP/s."
    if ratios:
        mean = against(geometric_mean(ratios), 3.0, ".2f")
        table.after = f"Geometric mean of the ratios: {mean}. {table.after}"
    return table


def classic(repeats: int) -> Table:
    """Training steps of the classic networks, at their published sizes."""
    table = Table(
        "Training steps of the classic networks",
        "As above, 224 x 224 pixels and 1,000 classes (U-Net: 128 x 128 and 10), few "
        "samples.",
        ("network, batch", "fastdl", "steps a second", "peer", "ratio"),
    )
    for name, network in CLASSIC.items():
        sides = _step_sides(network, jax=False)
        times = table.timings[name] = measure(sides, min(repeats, CLASSIC_SAMPLES))
        ours = times["fastdl"].median
        row = [f"{name}, {network.batch}", f"{1e3 * ours:.0f}", f"{1 / ours:.2f}"]
        if "peer" in times:
            theirs = times["peer"].median
            ratio = against(theirs / ours, network.ratio, ".2f")
            row += [f"{1e3 * theirs:.0f}", ratio]
        else:
            row += ["", ""]
        table.rows.append(row)
    return table


def latency(repeats: int) -> Table:
    """Predictions of one picture."""
    table = Table(
        "Latency of one prediction",
        "Microseconds from one picture to its logits, in evaluation mode.",
        ("network", "fastdl", "peer", "ratio"),
    )
    for name, (network, goal) in LATENCY.items():
        model = built(network)
        x, _ = batch(network, 1)
        sides = {"fastdl": inference(model, x)}
        if peer.available():
            from bench.peer_networks import inferences, translate

            theirs = translate(model, network.input_shape)
            model.eval()
            sides["peer"] = fastest(inferences(theirs, x))
        times = table.timings[name] = measure(sides, repeats)
        ours = times["fastdl"].median
        row = [name, f"{1e6 * ours:.0f}", "", ""]
        if "peer" in times:
            theirs = times["peer"].median
            row[2:] = [f"{1e6 * theirs:.0f}", against(theirs / ours, goal, ".2f")]
        table.rows.append(row)
    return table


# A busy machine ----------------------------------------------------------------------


@contextmanager
def _one_core_busy() -> Iterator[None]:
    """Let another process spin, on one of our cores where that can be asked for.

    It looks for its parent, so that it ends even when this process is killed.
    """
    code = "import os\n"
    if hasattr(os, "sched_getaffinity"):
        code += f"os.sched_setaffinity(0, {{{max(os.sched_getaffinity(0))}}})\n"
    code += f"while os.getppid() == {os.getpid()}: sum(range(100_000))"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def under_load(repeats: int) -> Table:
    """Time a training step while another process spins on one core."""
    table = Table(
        "A busy machine",
        "Milliseconds of the ResNet-20 step, alone and while another process spins on "
        "one of the cores. fastdl is the default, which goes over from OpenMP to the "
        "pool when the machine is busy; openmp and pool are each of them throughout.",
        ("side", "alone", "busy", "times as slow"),
    )
    sides = _step_sides(NETWORKS["ResNet-20"])
    for name in ("openmp", "pool"):
        sides[name] = with_runtime(name, sides["fastdl"])
    for side, step in sides.items():
        fastdl.set_runtime("auto")  # from its beginning
        alone = measure({side: step}, repeats)[side]
        with _one_core_busy():
            busy = measure({side: step}, max(3, repeats // 2))[side]
        table.timings[side] = {"alone": alone, "busy": busy}
        slower = busy.median / alone.median
        goal = 2.2 if side == "fastdl" else None
        cells = [f"{1e3 * time.median:.1f}" for time in (alone, busy)]
        table.rows.append([side, *cells, against(slower, goal, ".2f", at_most=True)])
    return table


# Memory ------------------------------------------------------------------------------


def resident() -> Table:
    """Peak resident memory of training steps, each side in a process of its own."""
    table = Table(
        "Resident memory of the ResNet-18 step",
        "Megabytes: the peak of a process that imports one side and makes three "
        "steps, batch 32; before is what the imports and the model take.",
        ("side", "before", "peak", "share of the peer"),
    )
    peaks = {}
    for side in ("peer", "fastdl") if peer.available() else ("fastdl",):
        command = [sys.executable, "-m", "bench.steps", side]
        environment = os.environ | {
            "FASTDL_NUM_THREADS": str(fastdl.get_num_threads()),
            "OMP_NUM_THREADS": str(fastdl.get_num_threads()),
        }
        output = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout
        before, peaks[side] = map(float, output.split())
        row = [side, f"{before:.0f}", f"{peaks[side]:.0f}", ""]
        if side == "fastdl" and "peer" in peaks:
            share = peaks[side] / peaks["peer"]
            row[3] = against(100 * share, 55, ".0f", at_most=True) + " %"
        table.rows.append(row)
    return table


def _high_water_mark() -> float:
    """Return the peak of this process's resident memory so far, in MB."""
    try:  # not getrusage, which begins with the peak of the parent process
        with open("/proc/self/status") as lines:
            line = next(line for line in lines if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _print_memory_of_steps(side: str) -> None:
    network = NETWORKS["ResNet-18"]
    model = built(network)
    x, labels = batch(network)
    if side == "peer":
        import torch

        from bench import peer_networks

        theirs = peer_networks.translate(model, network.input_shape)
        del model
        kernels.empty_cache()
        before = _high_water_mark()
        step = peer_networks.training_step(theirs, x, labels, LR, torch.channels_last)
    else:
        before = _high_water_mark()
        step = training_step(model, x, labels)
    for _ in range(3):
        step()
    print(before, _high_water_mark())


if __name__ == "__main__":
    _print_memory_of_steps(sys.argv[1])
