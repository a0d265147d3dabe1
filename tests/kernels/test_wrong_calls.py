"""Calls with one thing wrong: computed, or refused by a FastdlError.

Each is a call of test_random_calls in which one argument, or two, became something that
no caller should pass. As there, a seed repeats it.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from fastdl import kernels, reference
from fastdl.errors import FastdlError, ShapeError
from tests.kernels.test_random_calls import LONG, Draw, seeds

ONES = np.ones((2, 1), np.float32)
NUMBERS = [0, -1, 1, 2, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, 10**30]
NUMBERS += [0.0, -0.5, 1.5, 1e308, -1e-320, np.nan, np.inf, -np.inf, True, 1j]
NUMBERS += [np.int64(2), np.uint8(3), np.float32(0.5), np.array(2), np.array([2])]
OBJECTS = [None, "", "x", b"x", (), [], (1,), (1, 2, 3), [[1], 2], {}, object(), int]
TYPES = ["f2", "f4", "f8", ">f4", "g", "i1", "i8", "u8", "?", "c8", "O", "S3", "M8[s]"]


class WrongDraw(Draw):
    """The call of a seed, and what is wrong with it."""

    def wrong(self, name):
        arguments, options, _ = getattr(self, name)()
        arguments, options = list(arguments), dict(options)
        options.pop("combine", None)  # a function of ours
        done = []
        places = [(arguments, i) for i in range(len(arguments))]
        places += [(options, key) for key in options]
        for _ in range(min(len(places), self.choice(1, 1, 2))):
            container, key = places.pop(self.integer(0, len(places) - 1))
            arrays = [a for a in arguments if isinstance(a, np.ndarray)]
            container[key], what = self.spoilt(container[key], arrays)
            done.append(f"{key}: {what}")
        return arguments, options, "; ".join(done)

    def spoilt(self, value, arrays):
        """Return what to pass instead, and its name."""
        if isinstance(value, tuple) and value and self.chance(0.7):
            place = self.integer(0, len(value) - 1)
            part, what = self.spoilt(value[place], arrays)
            return (*value[:place], part, *value[place + 1 :]), f"({what})"
        if isinstance(value, np.ndarray) and self.chance(0.8):
            kinds = ["of_type", "of_shape", "laid_wrongly", "shared", "of_values"]
            kind = self.choice(*kinds)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                array = getattr(self, kind)(value, arrays)
            return array, f"{kind} {getattr(array, 'dtype', '')} {np.shape(array)}"
        wrong = self.choice(*NUMBERS, *OBJECTS)
        return wrong, repr(wrong)

    def of_type(self, array, _):
        try:
            return array.astype(self.choice(*TYPES))
        except (TypeError, ValueError):
            return array.astype("O")

    def of_shape(self, array, _):
        kind = self.choice("more", "less", "flat", "number", "empty", "axis", "axes")
        if kind == "more":
            return np.concatenate([array.reshape(-1)] * 2)
        if kind == "less":
            return array[:-1] if array.ndim else array.reshape(1)
        if kind == "flat":
            return array.reshape(-1)
        if kind == "number":
            return np.array(1, array.dtype)
        if kind == "empty":
            return np.empty((0,) * self.integer(1, 5), array.dtype)
        if kind == "axis":
            return array[..., None]
        return np.broadcast_to(array, (2,) * self.integer(0, 9) + array.shape)

    def laid_wrongly(self, array, _):
        kind = self.choice("reversed", "one element", "records", "list", "read only")
        if kind == "reversed":
            return array[(slice(None, None, -1),) * array.ndim]
        if kind == "one element":  # again and again
            one = np.zeros(1, array.dtype)
            return np.lib.stride_tricks.as_strided(one, array.shape, (0,) * array.ndim)
        if kind == "records":
            return array.astype([("a", array.dtype), ("b", "i1")])["a"]
        if kind == "list":
            return array.tolist()
        array = array.copy()
        array.flags.writeable = False
        return array

    def shared(self, array, arrays):
        """Another operand, or some memory of it."""
        other = arrays[self.integer(0, len(arrays) - 1)]
        if self.chance(0.5) or other.dtype != array.dtype or other.size < array.size:
            return other
        start = self.integer(0, other.size - array.size)
        return other.reshape(-1)[start : start + array.size].reshape(array.shape)

    def of_values(self, array, _):
        values = array.copy()
        if array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            values[...] = self.choice(limits.min, limits.max, -1 % (limits.max + 1), 1)
        elif array.dtype.kind == "f":
            values[...] = self.choice(np.nan, np.inf, -np.inf, 0, 1e30, 1e-40)
        return values


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited here")
@pytest.mark.parametrize("few", [40, LONG])
@pytest.mark.parametrize("name", reference.__all__)
def test_wrong_calls(name, few, dtype, limit_memory):
    limit_memory(2**30)  # so that a large array is refused and not begun
    for seed in seeds(few):
        arguments, options, what = WrongDraw(seed, dtype).wrong(name)
        try:
            with np.errstate(all="ignore"):
                getattr(kernels, name)(*arguments, **options)
        except (FastdlError, MemoryError):
            pass
        except Exception as error:
            raise AssertionError(
                f"seed {seed}, {what}: {type(error).__name__}: {error}"
            ) from error


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("softmax_cross_entropy_forward", (ONES, [[1], 2]), ShapeError),
        ("softmax_cross_entropy_backward", (ONES, [[1], 2], ONES[0]), ShapeError),
        ("global_avg_pool2d_backward", (ONES, (2, 3, 1, True)), ShapeError),
        ("l1_penalty_backward", (np.array(b"1"), ONES, 0.1), FastdlError),
        ("l2_penalty_backward", (np.array(b"1"), ONES, 0.1), FastdlError),
    ],
)
def test_what_ten_minutes_found(name, arguments, error):
    with pytest.raises(error, match=name.removeprefix("softmax_").partition("_")[0]):
        getattr(kernels, name)(*arguments)
