"""S15: schedules by PyTorch's names. The rates are those of PyTorch 2.13."""

import json
import math

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.errors import FastdlError
from fastdl.optim import lr_scheduler


def optimizer(*lrs, cls=optim.SGD, **options):
    params = [{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in lrs]
    return cls(params, **options)


def rates(scheduler, steps):
    """Return the rates of the first group before, and after each step."""
    found = [scheduler.get_last_lr()[0]]
    for step in range(steps):
        scheduler.step()
        assert scheduler.last_epoch == step + 1
        found.append(scheduler.get_last_lr()[0])
    return found


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("StepLR", {"step_size": 3, "gamma": 0.5}, [0.4] * 3 + [0.2] * 3 + [0.1] * 2),
        (
            "MultiStepLR",
            {"milestones": [2, 5, 6]},
            [0.4, 0.4, 0.04, 0.04, 0.04, 0.004, 0.0004, 0.0004],
        ),
        (
            "ExponentialLR",
            {"gamma": 0.9},
            [0.4, 0.36, 0.324, 0.2916, 0.26244, 0.236196, 0.2125764],
        ),
        (
            "CosineAnnealingLR",
            {"T_max": 8},
            [
                0.4,
                0.38477590650225735,
                0.3414213562373095,
                0.276536686473018,
                0.2,
                0.12346331352698206,
                0.05857864376269051,
                0.015224093497742654,
            ],
        ),
        (
            "CosineAnnealingLR",
            {"T_max": 8, "eta_min": 0.04},
            [
                0.4,
                0.3862983158520316,
                0.3472792206135785,
                0.2888830178257162,
                0.22,
                0.15111698217428385,
                0.09272077938642145,
                0.05370168414796839,
                0.04,
            ],
        ),
        (
            "LambdaLR",
            {"lr_lambda": lambda epoch: 0.95**epoch / (1 + epoch)},
            [
                0.4,
                0.19,
                0.12033333333333335,
                0.0857375,
                0.0651605,
                0.05158539583333332,
                0.042005250892857136,
            ],
        ),
        (
            "OneCycleLR",
            {"max_lr": 0.4, "total_steps": 10},
            [
                0.016,
                0.208,
                0.4,
                0.38019385280538953,
                0.3246982615799052,
                0.24450480877451572,
                0.1554967912254843,
                0.0753033384200948,
                0.019807747194610516,
                1.6e-06,
            ],
        ),
        (
            "OneCycleLR",
            {
                "max_lr": 0.4,
                "epochs": 4,
                "steps_per_epoch": 2,
                "pct_start": 0.5,
                "div_factor": 10,
                "final_div_factor": 100,
            },
            [
                0.04,
                0.13,
                0.31,
                0.4,
                0.3414799348810722,
                0.2002,
                0.05892006511892782,
                0.0004,
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_rates_of_pytorch(name, arguments, expected):
    scheduler = getattr(lr_scheduler, name)(optimizer(0.4, 0.1), **arguments)
    found = rates(scheduler, len(expected) - 1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert scheduler.get_last_lr()[1] == pytest.approx(expected[-1] / 4)


def test_the_optimizer_gets_the_rates():
    sgd = optimizer(0.4)
    scheduler = lr_scheduler.StepLR(sgd, 1, 0.5)
    scheduler.step()
    assert sgd.param_groups[0]["lr"] == 0.2


def test_cosine_ends_where_it_is():
    """S15: PyTorch reaches 0, and rises again."""
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer(0.4), T_max=3)
    found = rates(scheduler, 6)
    assert found[3:] == [found[2]] * 4
    assert found[2] == pytest.approx(0.1)


def test_a_warm_up_from_nothing():
    scheduler = lr_scheduler.LambdaLR(optimizer(0.4), lambda step: min(step / 2, 1))
    assert rates(scheduler, 3) == [pytest.approx(0, abs=1e-30), 0.2, 0.4, 0.4]


def test_a_scheduler_goes_on():
    sgd = optimizer(0.4)
    scheduler = lr_scheduler.ExponentialLR(sgd, 0.5)
    rates(scheduler, 2)
    saved = json.loads(json.dumps(scheduler.state_dict()))
    other = optimizer(0.4)
    again = lr_scheduler.ExponentialLR(other, 0.5)
    again.load_state_dict(saved)
    other.param_groups[0]["lr"] = 0.1
    again.step()
    assert again.last_epoch == 3
    assert again.get_last_lr() == [0.05]


@pytest.mark.parametrize(
    "make",
    [
        lambda sgd: lr_scheduler.StepLR(sgd, 0),
        lambda sgd: lr_scheduler.StepLR(sgd, 2, gamma=2),
        lambda sgd: lr_scheduler.MultiStepLR(sgd, [5, 2]),
        lambda sgd: lr_scheduler.MultiStepLR(sgd, [5], gamma=0),
        lambda sgd: lr_scheduler.ExponentialLR(sgd, -1),
        lambda sgd: lr_scheduler.CosineAnnealingLR(sgd, 0),
        lambda sgd: lr_scheduler.CosineAnnealingLR(sgd, 3, eta_min=1),
        lambda sgd: lr_scheduler.LambdaLR(sgd, [lambda step: 1]),
        lambda sgd: lr_scheduler.LambdaLR(sgd, lambda step: -1),
        lambda sgd: lr_scheduler.OneCycleLR(sgd, 0.1),
        lambda sgd: lr_scheduler.OneCycleLR(sgd, 0.1, epochs=2),
        lambda sgd: lr_scheduler.OneCycleLR(sgd, 0.1, 10, pct_start=0.05),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, "maxx"),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, threshold_mode="relative"),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, factor=1.0),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, patience=-1),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, threshold=-1),
        lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, min_lr=[0.1]),
    ],
)
def test_arguments_that_do_not_fit(make):
    with pytest.raises(FastdlError):
        make(optimizer(0.4))


@pytest.mark.parametrize(
    ("cls", "options"), [(optim.SGD, {"momentum": 0.9}), (optim.Adam, {})]
)
def test_the_momentum_does_not_cycle(cls, options):
    made = optimizer(0.4, cls=cls, **options)
    with pytest.raises(FastdlError, match=r"OneCycleLR: .*cycle_momentum=False"):
        lr_scheduler.OneCycleLR(made, 0.1, 10)
    lr_scheduler.OneCycleLR(made, 0.1, 10, cycle_momentum=False)


MEASURES = [1.0, 0.9, 0.89995, 0.9, 0.95, 0.8, 0.81, math.nan]
MEASURES += [0.82, 0.83, 0.84, 0.85, 0.86]


@pytest.mark.parametrize(
    ("options", "measures", "of_both"),
    [
        (
            {"factor": 0.5, "patience": 1},
            MEASURES,
            (
                [0.4] * 3 + [0.2] * 4 + [0.1] * 2 + [0.05] * 2 + [0.025] * 2,
                [0.1] * 3 + [0.05] * 4 + [0.025] * 2 + [0.0125] * 2 + [0.00625] * 2,
            ),
        ),
        (
            {"factor": 0.5, "patience": 1, "cooldown": 2, "min_lr": 0.06},
            MEASURES,
            (
                [0.4] * 3 + [0.2] * 4 + [0.1] * 4 + [0.06] * 2,
                [0.1] * 3 + [0.06] * 10,
            ),
        ),
        (
            {"mode": "max", "patience": 0, "threshold": 0.05, "threshold_mode": "abs"},
            [0.5, 0.52, 0.56, 0.6, 0.7],
            ([0.4, 0.04, 0.04, 0.004, 0.004], [0.1, 0.01, 0.01, 0.001, 0.001]),
        ),
        (
            {"mode": "max", "patience": 0, "threshold": 0.1},
            [0.5, 0.54, 0.56],
            ([0.4, 0.04, 0.04], [0.1, 0.01, 0.01]),
        ),
    ],
)
def test_a_plateau(options, measures, of_both):
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer(0.4, 0.1), **options)
    found = []
    for measure in measures:
        saved = json.loads(json.dumps(scheduler.state_dict()))
        again = lr_scheduler.ReduceLROnPlateau(scheduler.optimizer, **options)
        again.load_state_dict(saved)
        scheduler = again
        scheduler.step(measure)
        found.append(scheduler.get_last_lr())
    np.testing.assert_allclose(np.transpose(found), of_both, rtol=1e-12)
