"""A script that imports all names of a package at once."""

# ruff: noqa: F403, F405

from typing_extensions import assert_type

from fastdl.nn import *

model = Sequential(Linear(3, 2), ReLU())
assert_type(model, Sequential)
assert_type(model.build((3,)), tuple[int, ...])
