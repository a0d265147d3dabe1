"""The errors of a kernel begin with one name, the same in both backends.

It is the name of the function of `fastdl.functional` whose forward pass the kernel is,
as people called that; other kernels, gradients above all, have their own.
"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from fastdl import backend, functional, reference
from fastdl.errors import FastdlError
from tests.reference.test_contract import CALLS, UPDATES

FUNCTION = {  # where it is not the kernel's name without "_forward"
    "batchnorm_forward": "batch_norm",
    "batchnorm_inference": "batch_norm",
    "softmax_cross_entropy_forward": "cross_entropy",
    "sigmoid_cross_entropy_forward": "binary_cross_entropy_with_logits",
}
# The reference checks less than the compiled kernels: there these never complain.
UNCHECKED = [
    "batchnorm_backward",
    "dropout_backward",
    "dropout_forward",
    "l1_penalty_backward",
    "l1_penalty_forward",
    "l2_penalty_backward",
    "l2_penalty_forward",
    "log_softmax_forward",
    "max_norm_step",
    "power",
    "sigmoid_cross_entropy_backward",
    "softmax_forward",
]


def right_call(name):
    """Return {parameter: argument} of a call in which all is right."""
    signature = inspect.signature(getattr(reference, name))
    seen = []

    def kernel(*arguments, **options):
        seen.append(signature.bind(*arguments, **options))
        return getattr(reference, name)(*arguments, **options)

    def ones(*shape):
        return np.ones(shape, np.float32)

    if name in CALLS:
        result = CALLS[name](kernel, ones)
    else:
        result = UPDATES[name](kernel, ones(5), ones(5), lambda: ones(5))
    seen[-1].apply_defaults()
    if "out" in signature.parameters:
        seen[-1].arguments["out"] = np.empty_like(result)
    return seen[-1].arguments


def wrong(argument):
    """Return other arguments, most of which are refused."""
    if isinstance(argument, np.ndarray):
        return [
            argument.astype(np.int64) - 7,
            argument.astype(np.float64),
            argument[..., np.newaxis],
            np.repeat(argument, 3, axis=-1),
            argument[:0],
            argument.tolist(),
        ]
    if isinstance(argument, tuple):  # a shape
        return [(*argument, 1), (*argument[:-1], 7), (*argument[:-1], 0.5)]
    return [-1, 0, 7, 2**50, np.inf, "nonsense"]


def wrong_calls(name):
    """Yield {parameter: argument} of calls in which one argument is wrong."""
    for parameter, argument in right_call(name).items():
        for other in wrong(argument):
            yield {**right_call(name), parameter: other}
    call = right_call(name)
    if "grad" in call:
        yield {**call, "grad": call["param"]}


def prefix_of(name):
    shared = FUNCTION.get(name, name.removesuffix("_forward"))
    return shared if shared in functional.__all__ else name


@pytest.mark.parametrize("name", reference.__all__)
def test_errors_begin_with_the_name(name, each_backend):
    messages = []
    for call in wrong_calls(name):
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, from the unchecked reference
                getattr(backend, name)(**call)
        except FastdlError as error:
            messages.append(str(error))
        except (ArithmeticError, AttributeError, LookupError, MemoryError):
            pass  # of Python or NumPy
        except (TypeError, ValueError):
            pass
    assert {message.partition(":")[0] for message in messages} <= {prefix_of(name)}
    assert messages or (each_backend == "reference" and name in UNCHECKED)
