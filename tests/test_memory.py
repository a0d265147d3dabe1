"""Each line of the tables of docs/memory.md, evaluated."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import data, interop, nn, optim
from fastdl import functional as F

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
LINE = re.compile(r"^\| `(.*?)` \| (shares|copies) \|(.*)$", re.M)
LINES = LINE.findall(PAGE.read_text(encoding="utf-8"))


def loaded(model, state):
    model.load_state_dict(state)
    return model


def optimised(model):
    optim.SGD(model.parameters(), lr=0.1)
    return model


def batch(loader):
    return next(iter(loader))[0]


@pytest.mark.parametrize(("expression", "memory", "of"), LINES)
def test_memory_is_shared_as_the_page_says(expression, memory, of):
    torch = pytest.importorskip("torch") if "torch." in expression else None
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    x, y = np.ones((8, 4), np.float32), np.zeros(8, np.int64)
    model, state = nn.Linear(4, 2), {"weight": np.ones((4, 2), np.float32)}
    state["bias"] = np.zeros(2, np.float32)
    model.build((4,))
    names = {
        **{"np": np, "copy": copy, "fastdl": fastdl, "nn": nn, "F": F, "data": data},
        **{"interop": interop, "torch": torch, "loaded": loaded, "batch": batch},
        **{"optimised": optimised},
        **{"a": a, "t": fastdl.Tensor(a), "model": model, "state": state},
        **{"x": x, "y": y, "w": model.weight.numpy()},
    }
    whose = re.search(r"`(.*?)`", of)
    theirs = eval(whose[1], names) if whose else a
    got = np.asarray(eval(expression, names))
    assert np.shares_memory(got, theirs) == (memory == "shares")


def test_the_page_has_its_tables():
    assert len(LINES) > 50
    assert {memory for _, memory, _ in LINES} == {"shares", "copies"}


def test_parameters_stay_where_the_optimiser_put_them():
    model = nn.Linear(4, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before = model.weight.numpy()
    old = before.copy()
    F.sum(model(np.ones((3, 4), np.float32))).backward()
    optimizer.step()
    assert model.weight.numpy() is before
    assert (before != old).all()
    assert model.weight.grad.base is model.bias.grad.base
