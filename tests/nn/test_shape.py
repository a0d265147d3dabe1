"""Flatten and Identity."""

import numpy as np

from fastdl import nn
from fastdl.autograd import Tensor


def test_flatten_makes_rows():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(nn.Flatten()(x).numpy(), x.reshape(2, 12))


def test_flatten_an_empty_batch():
    x = np.zeros((0, 3, 2, 2), np.float32)
    assert nn.Flatten()(x).shape == (0, 12)


def test_identity():
    x = Tensor([1, 2])
    assert nn.Identity()(x) is x


def test_flatten_leaves_rows_alone():
    x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    assert nn.Flatten()(x) is x
