"""``python -m bench.cluster``: how a training would scale on machines of a network.

Measured here, for each network: the forward pass, the backward pass with the moment at
which each bucket of gradients is complete, the update, and how much steps differ; on
two processes of one thread, the all-reduce of all gradients and the exchange of a few
numbers. From these a step on N machines is predicted, each with the batch that was
measured, and compared with a machine alone. Assumed is that

- links carry their rate in both directions at once, and the switch all of them;
- the network card moves the messages, and takes no time from the cores;
- a bucket waits for the one before it, and takes 2 (N - 1) / N times its size at the
  rate of the link, and N - 1 times the overhead of a message in both halves;
- the statistics of a batch norm take log2 N times the latency, and nothing hides them;
- steps differ by chance on each machine alone, and all wait for the slowest, which of N
  normal numbers lies sqrt(2 ln N) deviations above the mean.

The check is a run on two processes here. There the cores move the messages, so they
take the time of the all-reduce beside that of the backward pass; and the processes
share the memory, so a step without messages is measured on two at once.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastdl
from bench.harness import Table
from bench.networks import LR, NETWORKS, batch, built
from fastdl import functional as F
from fastdl import nn, optim, parallel, shards
from fastdl.autograd import Tensor, final_gradients
from fastdl.parallel.buckets import BYTES

NAMES = ("ResNet-20", "ResNet-18")
MACHINES = (2, 4, 8, 16, 32, 64, 128, 256)
GIGABITS = {1: 50e-6, 10: 25e-6, 25: 10e-6, 100: 2e-6}  # with the latency in seconds
OVERHEAD = 1e-6  # seconds that sending a message takes
STEPS = 10
WARM = 3
REPEATS = 2  # of each process, in turn; the fastest counts


@dataclass
class Step:
    """A training step in seconds; of several processes, as the first one sees it.

    Attributes
    ----------
    forward, backward, update
        Medians.
    deviation
        The standard deviation of whole steps, without the slowest tenth.
    buckets
        When each is complete in the backward pass, and its bytes; only of one process.
    batch_norms
        How many layers exchange statistics, twice.
    all_reduce, exchange
        Of all gradients, and of a few numbers; only of several processes.
    """

    forward: float
    backward: float
    update: float
    deviation: float
    buckets: list[tuple[float, int]]
    batch_norms: int
    all_reduce: float = 0.0
    exchange: float = 0.0

    @property
    def seconds(self) -> float:
        """The whole."""
        return self.forward + self.backward + self.update


def predicted(step: Step, machines: int, rate: float, latency: float) -> float:
    """Return the seconds of a step on several machines.

    Parameters
    ----------
    step : Step
        Of one of them, alone.
    machines : int
        From 1.
    rate : float
        Bytes that a link carries in a second, in each direction.
    latency : float
        Seconds until a short message has arrived.
    """
    if machines == 1:
        return step.seconds
    exchange = math.ceil(math.log2(machines)) * (latency + OVERHEAD)
    statistics_ = step.batch_norms * exchange
    forward = step.forward + statistics_ + exchange  # that of the loss
    slower = 1 + statistics_ / step.backward  # buckets are complete later
    free = 0.0
    for ready, size in step.buckets:
        half = (machines - 1) * (size / machines / rate + OVERHEAD) + latency
        free = max(free, ready * slower) + 2 * half
    backward = max(step.backward * slower, free)
    slowest = step.deviation * math.sqrt(2 * math.log(machines))
    return forward + backward + step.update + slowest


def predicted_here(alone: Step, together: Step) -> float:
    """Return the seconds of a step on processes of this machine.

    Parameters
    ----------
    alone : Step
        On one process, with its part of the batch.
    together : Step
        Where the exchange and the all-reduce were measured.
    """
    exchanges = (2 * alone.batch_norms + 1) * together.exchange
    return alone.seconds + together.all_reduce + exchanges


# Measuring, in processes of its own


def measure(name: str, size: int, threads: int, steps: int = STEPS) -> Step:
    """Measure the steps of a network, with so many examples on each process."""
    ranks = parallel.start()
    fastdl.set_num_threads(threads)
    fastdl.manual_seed(0)
    network = NETWORKS[name]
    model = built(network)
    optimizer = optim.Adam(model.parameters(), lr=LR)
    ranks.share(model, optimizer)
    x, y = batch(network, size)
    shard = None
    if ranks.size > 1:
        shard = shards.Shard(ranks.rank * size, size, ranks.size * size, ranks.gather)
    final: dict[int, float] = {}

    def note(tensor: Tensor | None) -> None:
        final[id(tensor)] = time.perf_counter()

    times = []
    for _ in range(WARM + steps):
        start = time.perf_counter()
        with shards.using(shard):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            forward = time.perf_counter()
            if shard is None:
                with final_gradients(note):
                    loss.backward()
            else:
                ranks.backward(loss)
        backward = time.perf_counter()
        optimizer.step()
        times.append((start, forward, backward, time.perf_counter()))
    durations = np.diff(np.array(times[WARM:]))
    typical = np.sort(durations.sum(axis=1))[: math.ceil(0.9 * steps)]
    buckets = []
    if shard is None:
        begun = times[-1][1]
        for _, flat in optimizer._flats:
            for members in flat.stretches(BYTES):
                complete = max(final[id(flat.tensors[index])] for index in members)
                buckets.append((complete - begun, flat.gradients(members).nbytes))
    medians = np.median(durations, axis=0).tolist()
    batch_norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    result = Step(*medians, float(typical.std()), sorted(buckets), len(batch_norms))
    if shard is not None:
        result.exchange = _median(lambda: ranks.gather(np.zeros(64)), 50)
        result.all_reduce = _median(lambda: _all_reduce(ranks), 10)
    return result


def _all_reduce(ranks: parallel.Ranks) -> None:
    buckets = ranks._buckets
    assert buckets is not None
    buckets._begun = buckets._done = 0
    buckets._advance(wait=True)


def _median(function: Callable[[], Any], count: int) -> float:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def in_processes(
    ranks: int, name: str, size: int, threads: int, copies: int = 1
) -> Step:
    """Measure in so many new processes; of several copies at once the slowest."""
    command = [sys.executable, "-m", "bench.cluster", "--measure", name]
    command += ["--batch", str(size), "--threads", str(threads)]
    if ranks > 1:
        beside = Path(sys.executable).with_name("mpiexec")  # of a wheel
        mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
        if mpiexec is None:
            raise SystemExit("no mpiexec: pip install mpi4py mpich")
        command = [mpiexec, "-n", str(ranks), *command]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(copies)
    ]
    steps = [Step(**json.loads(each.communicate()[0])) for each in running]
    return max(steps, key=lambda step: step.seconds)


def tables(name: str) -> list[Table]:
    """Measure a network here, and predict the rest."""
    size = 2 * NETWORKS[name].batch
    sides = [(1, name, size, 2), (1, name, size // 2, 1, 2), (2, name, size // 2, 1)]
    steps = [[in_processes(*side) for side in sides] for _ in range(REPEATS)]
    whole, half, together = (
        min(each, key=lambda step: step.seconds) for each in zip(*steps, strict=True)
    )
    expected = predicted_here(half, together)
    check = Table(
        f"{name} on two cores of this machine, {size} examples a step",
        "",
        ("", "ms"),
        [
            ("1 process, 2 threads", f"{1e3 * whole.seconds:.0f}"),
            ("2 processes, 1 thread each", f"{1e3 * together.seconds:.0f}"),
            ("... predicted", f"{1e3 * expected:.0f}"),
            ("all-reduce alone", f"{1e3 * together.all_reduce:.1f}"),
            ("exchange of a few numbers", f"{1e3 * together.exchange:.3f}"),
        ],
        f"2 processes have {whole.seconds / together.seconds:.2f} of the speed of 2 "
        f"threads; the prediction is {expected / together.seconds - 1:+.0%} off.",
    )
    scaling = Table(
        f"{name} on a cluster, {size} examples and two cores a machine",
        "Predicted: the speed of N machines as a share of N times that of one.",
        ("machines", *(f"{gigabits} Gb/s" for gigabits in GIGABITS)),
        [(str(machines), *_efficiencies(whole, machines)) for machines in MACHINES],
    )
    return [check, scaling]


def _efficiencies(step: Step, machines: int) -> list[str]:
    return [
        f"{step.seconds / predicted(step, machines, gigabits * 1e9 / 8, latency):.2f}"
        for gigabits, latency in GIGABITS.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("names", nargs="*", metavar="NAME", default=NAMES)
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # in processes of its own
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        step = measure(options.measure, options.batch, options.threads)
        if parallel.start().is_first:
            print(json.dumps(asdict(step)))
        return
    for name in options.names:
        for table in tables(name):
            print(table, flush=True)


if __name__ == "__main__":
    main()
