"""A number for each channel of each image: compiled against reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import DtypeError, ShapeError

SHAPES = [
    (0, 2, 2, 3),
    (2, 0, 2, 3),
    (1, 1),
    (3, 5, 1),
    (2, 9, 11, 7),
    (3, 4, 5, 16),
    (2, 6, 7, 33),
    (1, 40, 40, 96),
    (2, 3, 3, 515),
]


def operands(shape, dtype):
    rng = np.random.default_rng(0)
    factors = (shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    arrays = [
        rng.standard_normal(size).astype(dtype) for size in (shape, shape, factors)
    ]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def results(module, dy, x, factors):
    y = module.scale_forward(x, factors)
    return (y, *module.scale_backward(dy, x, factors))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(shape, isa, dtype, assert_close):
    arrays = operands(shape, dtype)
    terms = max(1, int(np.prod(shape[1:-1])))
    assert_close(results(kernels, *arrays), results(reference, *arrays), terms)


def test_same_bits_for_threads(dtype, same_bits_for_threads):
    arrays = operands((3, 61, 61, 24), dtype)
    same_bits_for_threads(lambda: results(kernels, *arrays))


@pytest.mark.parametrize("module", [kernels, reference])
def test_wrong_arguments(module):
    dy, x, factors = operands((2, 3, 3, 4), np.float32)
    for wrong in (factors[:1], factors[:, 0], x, factors[..., :1]):
        with pytest.raises(ShapeError, match=r"expected scale of shape \(2, 1, 1, 4\)"):
            module.scale_forward(x, wrong)
        with pytest.raises(ShapeError, match=r"expected scale of shape \(2, 1, 1, 4\)"):
            module.scale_backward(dy, x, wrong)
    with pytest.raises(ShapeError, match="expected dy of shape"):
        module.scale_backward(dy[:1], x, factors)
    with pytest.raises(ShapeError, match=r"expected x of shape \(n, ..., c\)"):
        module.scale_forward(x[0, 0, 0], factors)


def test_wrong_types():
    dy, x, factors = operands((2, 3, 3, 4), np.float32)
    with pytest.raises(DtypeError, match="scale is float64"):
        kernels.scale_forward(x, factors.astype(float))
    with pytest.raises(DtypeError, match="dy is float64"):
        kernels.scale_backward(dy.astype(float), x, factors)
