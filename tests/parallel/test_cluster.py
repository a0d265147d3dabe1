"""The prediction for clusters: by hand, at its limits, and from a measured step."""

import json

import pytest

from bench.cluster import OVERHEAD, Step, predicted, predicted_here

STEP = Step(
    forward=0.1,
    backward=0.2,
    update=0.01,
    deviation=0.0,
    buckets=[(0.05, 10**6), (0.2, 2 * 10**6)],
    batch_norms=0,
)


def test_a_machine_alone_is_what_was_measured():
    assert predicted(STEP, 1, 1.0, 1.0) == STEP.seconds


def test_two_machines_by_hand():
    """At 100 MB/s the first bucket is hidden, the second takes 20 ms after the end."""
    found = predicted(STEP, 2, 1e8, 0.0)
    assert found == pytest.approx(STEP.seconds + 0.02, abs=10 * OVERHEAD)


def test_buckets_wait_for_each_other():
    """Of 4 at 10 MB/s: the first takes 150 ms to 200 ms, the second 300 ms more."""
    on_four = predicted(STEP, 4, 1e7, 0.0)
    assert on_four == pytest.approx(0.11 + 0.2 + 0.3, abs=20 * OVERHEAD)


def test_limits():
    free = predicted(STEP, 256, 1e15, 0.0)
    assert free == pytest.approx(STEP.seconds, rel=0.01)
    rates = [predicted(STEP, 8, rate, 1e-5) for rate in (1e7, 1e8, 1e9, 1e10)]
    assert rates == sorted(rates, reverse=True)
    machines = [predicted(STEP, count, 1e8, 1e-5) for count in (1, 2, 4, 64, 256)]
    assert machines == sorted(machines)


def test_batch_norms_and_the_slowest_machine():
    step = Step(0.1, 0.2, 0.0, 0.01, [], 20)
    exchange = 3 * (1e-4 + OVERHEAD)
    slowest = 0.01 * 2.0393  # sqrt(2 ln 8)
    expected = 0.3 + 41 * exchange + slowest
    assert predicted(step, 8, 1e9, 1e-4) == pytest.approx(expected, rel=1e-4)


def test_processes_here_share_the_cores():
    together = Step(0, 0, 0, 0, [], 20, all_reduce=0.03, exchange=0.001)
    alone = Step(0.1, 0.2, 0.01, 0, [], 20)
    assert predicted_here(alone, together) == pytest.approx(0.31 + 0.03 + 0.041)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_step_is_measured(ranks, launch):
    options = ("--batch", 8, "--threads", 1)
    done = launch(ranks, "-m", "bench.cluster", "--measure", "MLP 64-32-10", *options)
    step = Step(**json.loads(done.stdout))
    assert min(step.forward, step.backward, step.update) > 0
    assert bool(step.buckets) == (ranks == 1)
    assert bool(step.all_reduce) == (ranks == 2)
