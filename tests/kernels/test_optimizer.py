"""Optimiser steps: compiled against the reference (S12, S13, S14)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# The step, how many arrays of state it has (or which ones), its options.
STEPS = {
    "sgd": ("sgd_step", 0, {"lr": 0.1}),
    "sgd, weight decay": ("sgd_step", 0, {"lr": 0.1, "weight_decay": 0.01}),
    "momentum": ("sgd_step", 1, {"lr": 0.1, "momentum": 0.9}),
    "the course's momentum": (
        "sgd_step",
        1,
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "weight_decay": 0.1},
    ),
    "Nesterov": (
        "sgd_step",
        1,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    "RMSprop": ("rmsprop_step", 1, {"lr": 0.1, "beta": 0.8, "weight_decay": 0.1}),
    "RMSprop, centred": ("rmsprop_step", 2, {"lr": 0.1, "beta": 0.8}),
    "RMSprop, momentum": ("rmsprop_step", (1, 3), {"lr": 0.1, "momentum": 0.9}),
    "RMSprop, both": (
        "rmsprop_step",
        3,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
    ),
    "Adagrad": ("adagrad_step", 1, {"lr": 0.1, "weight_decay": 0.1}),
    "AMSGrad": ("adam_step", 3, {"lr": 0.1, "step": 3}),
    "Adam": ("adam_step", 2, {"lr": 0.1, "weight_decay": 0.1, "step": 3}),
    "Adam, first step": ("adam_step", 2, {"lr": 0.1, "step": 1}),
    "AdamW": (
        "adam_step",
        2,
        {"lr": 0.1, "weight_decay": 0.1, "decoupled": True, "step": 1000},
    ),
}


def operands(name, shape, dtype, seed=0):
    """Return the function's name, its arrays (the first is param) and its options."""
    function, states, options = STEPS[name]
    rng = np.random.default_rng(seed)
    param, grad = rng.standard_normal((2, *shape)).astype(dtype)
    arrays = [param, grad]
    chosen = states if isinstance(states, tuple) else range(1, states + 1)
    arrays += [None] * max(chosen, default=1)
    for index in chosen:
        arrays[1 + index] = rng.uniform(0.1, 1, shape).astype(dtype)
    if function == "rmsprop_step" and arrays[3:]:
        arrays[2] += 1  # the mean square is above the square of the mean
    grad.flags.writeable = False
    return function, arrays, options


def after(module, function, arrays, options):
    """Return copies of the arrays after one step."""
    copies = [None if a is None else a.copy() for a in arrays]
    copies[1] = arrays[1]
    assert getattr(module, function)(*copies, **options) is None
    return tuple(a for a in copies if a is not None)


@pytest.mark.parametrize("name", STEPS)
def test_equals_reference(name, isa, dtype, assert_close):
    for shape in ((0,), (1,), (3, 5), (17,), (33,), (4, 4, 4), (20_001,)):
        arguments = operands(name, shape, dtype)
        assert_close(after(kernels, *arguments), after(reference, *arguments))


@pytest.mark.parametrize("name", STEPS)
def test_same_bits_for_threads(name, dtype, same_bits_for_threads):
    arguments = operands(name, (70_001,), dtype)
    same_bits_for_threads(lambda: after(kernels, *arguments))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(STEPS)),
    shape=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    real=st.sampled_from(["float32", "float64"]),
    lr=st.floats(0, 1),
    weight_decay=st.floats(0, 1),
)
def test_random_arguments(name, shape, real, lr, weight_decay):
    function, arrays, options = operands(name, tuple(shape), real)
    options = {**options, "lr": lr, "weight_decay": weight_decay}
    tolerance = 100 * np.finfo(real).eps
    for a, e in zip(
        after(kernels, function, arrays, options),
        after(reference, function, arrays, options),
        strict=True,
    ):
        np.testing.assert_allclose(a, e, tolerance, tolerance)


def test_adam_minimises(isa):
    """A whole run, in float64, stays beside the reference."""
    runs = []
    for module in (kernels, reference):
        w, m, v = np.array([[3.0, -2.0, 0.5]]), np.zeros((1, 3)), np.zeros((1, 3))
        for step in range(1, 301):
            module.adam_step(w, 2 * (w - 1), m, v, lr=0.1, step=step)
        runs.append(w)
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9)
    np.testing.assert_allclose(runs[0], 1, atol=1e-3)


def test_a_view_of_a_flat_buffer_is_updated_in_place(dtype):
    buffer = np.ones(100, dtype)
    grad = np.ones((5, 10), dtype).T[:, ::-1]  # any layout: it is only read
    kernels.sgd_step(buffer[20:70].reshape(10, 5), grad, None, lr=0.5)
    np.testing.assert_array_equal(buffer[20:70], 0.5)
    np.testing.assert_array_equal(buffer[:20], 1)
    np.testing.assert_array_equal(buffer[70:], 1)


@pytest.mark.parametrize("position", [0, 2, 3])
def test_arrays_that_cannot_be_updated(position):
    name = ("param", "grad", "m", "v")[position]
    arrays = list(np.ones((4, 6, 4), np.float32))

    def step(array):
        changed = [*arrays[:position], array, *arrays[position + 1 :]]
        kernels.adam_step(*changed, lr=0.1, step=1)

    strided = np.ones((6, 8), np.float32)[:, ::2]
    read_only = np.ones((6, 4), np.float32)
    read_only.flags.writeable = False
    for array in (strided, read_only):
        with pytest.raises(ArgumentError, match=f"{name} is updated in place"):
            step(array)
    with pytest.raises(DtypeError, match=f"{name} must be a NumPy array, got list"):
        step([1.0, 2.0])
    if position:
        with pytest.raises(ShapeError, match=f"expected {name} of shape"):
            step(np.ones((6, 5), np.float32))
        with pytest.raises(DtypeError, match=f"{name} is float64"):
            step(np.ones((6, 4)))


def test_wrong_arguments():
    param = np.ones(3, np.float32)
    with pytest.raises(
        ShapeError, match=r"expected grad of shape \(3,\), got \(3, 1\)"
    ):
        kernels.sgd_step(param, np.ones((3, 1), np.float32), None, lr=0.1)
    with pytest.raises(DtypeError, match="grad is float64"):
        kernels.sgd_step(param, np.ones(3), None, lr=0.1)
    with pytest.raises(ArgumentError, match="momentum needs an array of velocities"):
        kernels.sgd_step(param, param.copy(), None, lr=0.1, momentum=0.9)
    with pytest.raises(ArgumentError, match="rmsprop_step: momentum needs an array"):
        kernels.rmsprop_step(param, param.copy(), param.copy(), lr=0.1, momentum=0.9)
    with pytest.raises(ArgumentError, match="step counts from 1, got 0"):
        kernels.adam_step(param, *np.ones((3, 3), np.float32), lr=0.1, step=0)
    np.testing.assert_array_equal(param, 1)
