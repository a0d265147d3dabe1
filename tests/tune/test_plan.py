"""The four methods: which values a trial gets."""

import numpy as np
import pytest

from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.tune import Choice, Integer, Linear, Log, Space
from fastdl.tune.plan import Plan, Tried

SPACE = Space({"lr": Log(1e-4, 1), "units": Integer(1, 64), "kind": Choice("a", "b")})


def plan(method="random", trials=12, space=SPACE, **others):
    return Plan({"function": "f"}, space, trials, method, **others)


def test_random_depends_on_seed_and_number_alone():
    a, b, c = plan(), plan(trials=99), plan(seed=1)
    assert [a.params(n, {}) for n in range(12)] == [b.params(n, {}) for n in range(12)]
    assert a.params(3, {}) != a.params(4, {}) != c.params(4, {})


def test_the_grid_is_shuffled_whole():
    a = plan("grid", 18)
    points = [a.params(n, {}) for n in range(a.size)]
    assert a.size == 18
    assert points != SPACE.grid(18)
    key = lambda point: tuple(map(str, point.values()))  # noqa: E731
    assert sorted(points, key=key) == sorted(SPACE.grid(18), key=key)


def test_coarse_to_fine_zooms_twice():
    """The best quarter spans the next round, with a quarter of its width around."""
    space = Space({"x": Linear(0, 1)})
    a = plan("coarse_to_fine", 36, space)
    tried = {}
    for number in range(36):
        params = a.params(number, tried)
        tried[number] = Tried(params, -abs(params["x"] - 0.3))
    x = [tried[n].params["x"] for n in range(36)]
    good = sorted(x[:12], key=lambda value: abs(value - 0.3))[:3]
    margin = max(0.25 * (max(good) - min(good)), 0.05)
    assert min(good) - margin <= min(x[12:24]) < max(x[12:24]) <= max(good) + margin
    assert np.ptp(x[24:]) < np.ptp(x[12:24]) < np.ptp(x[:12])
    distance = np.abs(np.array(x) - 0.3)
    assert distance[24:].mean() < 0.5 * distance[:12].mean()


def test_coarse_to_fine_waits_for_its_round():
    a = plan("coarse_to_fine", 9)
    tried = {n: Tried(a.params(n, {}), float(n)) for n in range(3)}
    assert a.params(2, {}) is not None
    assert a.params(3, {0: tried[0], 2: tried[2]}) is None
    assert a.params(5, tried) is not None
    assert a.params(6, tried) is None


def test_coarse_to_fine_without_scores_stays_coarse():
    a = plan("coarse_to_fine", 9)
    tried = {n: Tried(a.params(n, {}), None) for n in range(3)}
    assert a.params(3, tried) == plan("random", 9).params(3, {})


def test_the_best_quarter():
    tried = [Tried({"x": n}, score) for n, score in enumerate([1, None, 3, 2, 3])]
    assert [trial.params["x"] for trial in plan().best(tried)] == [2, 4]
    assert [trial.params["x"] for trial in plan(mode="min").best(tried)] == [0, 3]


def test_a_plan_survives_json():
    a = plan("grid", 18, seed=3, pruner=None, mode="min")
    assert Plan.from_json(a.to_json(), "study") == a


@pytest.mark.parametrize("damaged", [None, 3, {}, {"space": 3}, {"no": 1}])
def test_a_damaged_plan(damaged):
    with pytest.raises(DataError, match="study x is no search of this fastdl"):
        Plan.from_json(damaged, "study x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "gird"}, "unknown method 'gird'; did you mean 'grid'"),
        ({"pruner": "medium"}, "unknown pruner 'medium'; did you mean 'median'"),
        ({"mode": "up"}, "unknown mode 'up'; choose from 'max', 'min'"),
        ({"method": "grid", "trials": 1}, "2 points, more than 1 trials"),
    ],
)
def test_wrong_plans(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        plan(**arguments)


@pytest.mark.parametrize("trials", [0, -1, 2.5, True])
def test_wrong_numbers_of_trials(trials):
    with pytest.raises(ShapeError, match="search: trials must be an integer >= 1"):
        plan(trials=trials)
