"""S15: learning-rate schedules, and how they are applied in a loop."""

import json
import math

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import ArgumentError, FastdlError

T = range(1, 9)


def rates(schedule, times=T):
    return [schedule(t) for t in times]


def optimizer(*lrs):
    params = [{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in lrs]
    return optim.SGD(params)


def test_inverse_decay_of_the_course():
    """S15: 0.2 with decay 1."""
    schedule = optim.InverseDecay(0.2, decay=1)
    np.testing.assert_allclose(rates(schedule, T[:4]), [0.1, 0.2 / 3, 0.05, 0.04])
    assert schedule(0) == 0.2


def test_inverse_decay_by_stairs():
    """S15: the course's lr_0 / (1 + decay_rate * floor(epoch / time_interval))."""
    schedule = optim.InverseStaircase(0.5, decay=0.3, every=100)
    assert [schedule(epoch) for epoch in (0, 10, 99)] == [0.5, 0.5, 0.5]
    assert [schedule(epoch) for epoch in (100, 199)] == [0.5 / 1.3, 0.5 / 1.3]
    assert schedule(1000) == 0.5 / 4
    with pytest.raises(FastdlError, match="InverseStaircase: every"):
        optim.InverseStaircase(0.5, every=0)
    with pytest.raises(ArgumentError, match="InverseStaircase: decay"):
        optim.InverseStaircase(0.5, decay=-1)


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (optim.ExponentialDecay(0.3), lambda t: 0.3 * 0.95**t),
        (optim.InverseRoot(0.3), lambda t: 0.3 / math.sqrt(t)),
        (optim.Staircase(0.8, every=3), lambda t: [0.8, 0.4, 0.2][(t - 1) // 3]),
        (
            optim.Piecewise([0.5, 0.1, 0.2], [2, 5]),
            lambda t: 0.5 if t < 3 else 0.1 if t < 6 else 0.2,
        ),
        (
            optim.Cosine(0.4, total=8),
            lambda t: 0.2 * (1 + math.cos(math.pi * (t - 1) / 8)),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_formulas(schedule, formula):
    """S15"""
    np.testing.assert_allclose(rates(schedule), [formula(t) for t in T], rtol=1e-12)


def test_cosine_warms_up_and_ends_at_its_floor():
    """S15"""
    schedule = optim.Cosine(1.0, total=10, warmup=3, final=0.1)
    np.testing.assert_allclose(rates(schedule, range(1, 5)), [0.25, 0.5, 0.75, 1.0])
    falling = rates(schedule, range(4, 12))
    assert falling == sorted(falling, reverse=True)
    assert schedule(11) == schedule(99) == pytest.approx(0.1)


def test_one_cycle_rises_and_falls_below_its_start():
    """S15"""
    schedule = optim.OneCycle(1.0, total=101, rise=0.3, start=10, final=100)
    curve = rates(schedule, range(1, 102))
    assert curve[0] == pytest.approx(0.1)
    assert np.argmax(curve) == 30
    assert curve[30] == pytest.approx(1.0)
    assert curve[-1] == pytest.approx(0.01)
    assert (np.diff(curve[:31]) > 0).all()
    assert (np.diff(curve[30:]) < 0).all()


@pytest.mark.parametrize("make", [optim.Cosine, optim.OneCycle])
def test_an_open_horizon(make):
    with pytest.raises(ArgumentError, match=rf"{make.__name__}: .* Give total="):
        make(0.1)(3)
    assert make(0.1).over(9) == make(0.1, total=9)
    assert make(0.1, total=5).over(9).total == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.InverseDecay(0), "InverseDecay: lr must be a number > 0"),
        (lambda: optim.InverseDecay(1, -1), "InverseDecay: decay"),
        (lambda: optim.ExponentialDecay(1, 1.1), r"base must be in \(0, 1\], got 1.1"),
        (lambda: optim.InverseRoot(math.nan), "InverseRoot: k"),
        (lambda: optim.Staircase(1, 0), "Staircase: every"),
        (lambda: optim.Staircase(1, 2, 0), "Staircase: factor"),
        (lambda: optim.Piecewise([], []), "Piecewise: rates"),
        (lambda: optim.Piecewise([1, 0], [3]), "Piecewise: rates"),
        (lambda: optim.Piecewise([1, 2], []), "ends must be 1 rising numbers"),
        (lambda: optim.Piecewise([1, 2, 3], [5, 5]), "ends must be 2 rising numbers"),
        (lambda: optim.Cosine(1, 10, warmup=10), "Cosine: total"),
        (lambda: optim.Cosine(1, 10, final=2), "Cosine: final"),
        (lambda: optim.OneCycle(1, 1), "OneCycle: total"),
        (lambda: optim.OneCycle(1, 10, rise=1), "OneCycle: rise"),
        (lambda: optim.OneCycle(1, 10, start=0.5), "OneCycle: start"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(FastdlError, match=message):
        make()


# In a loop of one's own


def test_an_own_loop():
    """S15: the first group has the rate, the others keep their ratio."""
    rule = optimizer(0.5, 5.0)
    scheduler = optim.Scheduler(rule, optim.InverseDecay(0.2))
    seen = []
    for _ in range(4):
        seen.append([group["lr"] for group in rule.param_groups])
        scheduler.step()
    expected = np.array([0.1, 0.2 / 3, 0.05, 0.04])
    np.testing.assert_allclose(seen, np.stack([expected, 10 * expected], axis=1))
    assert scheduler.t == 5


def test_a_rate_changed_from_outside_scales_what_follows():
    """S15: manual"""
    rule = optimizer(1.0, 2.0)
    scheduler = optim.Scheduler(rule, optim.Staircase(0.8, every=1))
    optim.set_rate(rule, 0.08)
    assert [group["lr"] for group in rule.param_groups] == pytest.approx([0.08, 0.16])
    scheduler.step()
    assert [group["lr"] for group in rule.param_groups] == pytest.approx([0.04, 0.08])


@pytest.mark.parametrize("rate", [0, -0.1, math.nan, math.inf, None, "0.1"])
def test_rates_that_are_none(rate):
    """S15: the schedule is named."""

    def broken(t):
        return 0.1 if t < 3 else rate

    scheduler = optim.Scheduler(optimizer(1.0), broken)
    scheduler.step()
    with pytest.raises(ArgumentError, match=r"schedule broken gave .* for t = 3; a"):
        scheduler.step()
    rule = optimizer(1.0)
    with pytest.raises(ArgumentError, match="learning rate: expected a number > 0"):
        optim.set_rate(rule, rate)
    assert rule.param_groups[0]["lr"] == 1


def test_a_scheduler_goes_on_from_its_state():
    """S15: through JSON, with a rate that was changed by hand, for two groups."""

    def made():
        first, second = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
        groups = [{"params": [first], "lr": 1.0}, {"params": [second], "lr": 3.0}]
        rule = optim.SGD(groups, lr=1.0)
        return rule, optim.Scheduler(rule, optim.InverseDecay(0.6))

    rule, scheduler = made()
    scheduler.step()
    rule.param_groups[1]["lr"] *= 10
    saved = json.loads(json.dumps(scheduler.state_dict()))
    other, again = made()
    other.load_state_dict(rule.state_dict())
    again.load_state_dict(saved)
    for _ in range(3):
        scheduler.step()
        again.step()
        rates = [[g["lr"] for g in each.param_groups] for each in (rule, other)]
        assert rates[0] == rates[1]
    assert rates[0] == pytest.approx([0.6 / 6, 18 / 6])
    with pytest.raises(ArgumentError, match="state is of 2 parameter groups, but the"):
        optim.Scheduler(optimizer(1.0), optim.InverseDecay(1)).load_state_dict(saved)


SCHEDULES = [
    optim.InverseDecay(0.2),
    optim.ExponentialDecay(0.3, 0.5),
    optim.InverseRoot(0.3),
    optim.Staircase(0.8, every=2),
    optim.Piecewise([0.5, 0.1], [3]),
    optim.Cosine(0.4, total=7),
    optim.Cosine(0.4, total=7, warmup=3),
    optim.Cosine(0.4, total=1),
    optim.Cosine(0.4, total=7, final=0.1),
    optim.OneCycle(0.4, total=7),
    optim.OneCycle(0.4, total=2),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_loop_of_the_docstring(schedule):
    """S15: its last step sets a rate beyond the end; so does each of a longer loop."""
    rule = optimizer(1.0)
    scheduler = optim.Scheduler(rule, schedule)
    for _ in range(7):
        assert rule.param_groups[0]["lr"] == schedule(scheduler.t)
        scheduler.step()
    rule.load_state_dict(rule.state_dict())
    for _ in range(20):
        scheduler.step()
        assert 0 < rule.param_groups[0]["lr"] <= 0.8


@pytest.mark.parametrize(
    "schedule", [s for s in SCHEDULES if getattr(s, "total", None)], ids=repr
)
def test_the_last_rate_holds_beyond_the_end(schedule):
    """S15: `final` where there is one; a rate of 0 would learn nothing, silently."""
    last = schedule.total
    end = schedule(last)
    if isinstance(schedule, optim.Cosine) and schedule.final:
        end = schedule.final
    assert rates(schedule, [last + 1, last + 2, 10**9]) == pytest.approx([end] * 3)


@pytest.mark.parametrize(
    "schedule",
    [optim.ExponentialDecay(0.3), optim.Staircase(0.3, 3), optim.InverseDecay(0.3)],
    ids=repr,
)
def test_a_rate_never_falls_to_zero(schedule):
    """S15: per step a training has more steps than 0.95 ** t has digits."""
    scheduler = optim.Scheduler(optimizer(1.0, 1e-3), schedule)
    for scheduler.t in (14_000, 100_000, 10**9):
        scheduler.step()


def test_what_is_no_schedule():
    for wrong in (0.1, optim.InverseDecay):
        with pytest.raises(ArgumentError, match="Scheduler: schedule must be"):
            optim.Scheduler(optimizer(1.0), wrong)
