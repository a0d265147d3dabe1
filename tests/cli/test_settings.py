"""Settings from files: whatever is wrong, the message names the file and the key."""

import argparse
import dataclasses
import json
import re

import pytest

from fastdl.cli import settings
from fastdl.cli.main import _parser
from fastdl.data import Augment
from fastdl.errors import FastdlError
from fastdl.train import Job, Recipe

HOSTILE = [
    *(None, True, 0, -1, 10**20, 10**400, 0.5, float("nan"), float("inf"), "", "x"),
    *([], [1], [1, 10**400], ["x", "y"], [[]], {}, {"x": 1}, {"": []}),
]
KEYS = [
    *((field.name,) for field in dataclasses.fields(Job)),
    *((field.name,) for field in dataclasses.fields(Recipe)),
    *(("augment", field.name) for field in dataclasses.fields(Augment)),
    ("model_options", "width_mult"),
    ("model_options", "depth_mult"),
    ("model_options", "dropout"),
]


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_hostile_values(key, tmp_path):
    """Each is refused with the names of the file and the key, or is one to train by."""
    file = tmp_path / "my.json"
    options = _parser().parse_args(["train", "--config", str(file)])
    for value in HOSTILE:
        given = {"dataset": "digits", "model": "mlp"}
        if len(key) == 2 and key[0] == "model_options":
            small = {"width_mult": 0.1, "depth_mult": 0.1}
            given |= {"model": "efficientnet_b0", key[0]: small | {key[1]: value}}
        elif len(key) == 2:
            given |= {key[0]: {key[1]: value}}
        else:
            given |= {key[0]: value}
        file.write_text(json.dumps(given))
        try:
            job = settings.job(options)
        except FastdlError as error:
            message = str(error)
            assert message.startswith(f"{file}: "), message
            assert key[0] in message or key[-1] in message, message
            assert len(message) < 1200  # with all names of networks
        else:
            assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


def test_the_help_names_the_defaults_that_there_are():
    parser = _parser()
    (commands,) = (
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    others = set()
    for name, command in commands.items():
        for option in command._actions:
            stated = re.search(r"default: ([\w.]+)(?=[,;]|$)", option.help or "")
            if stated is None:
                continue
            default = option.default
            if isinstance(default, int | float):
                assert float(stated[1]) == default, (name, option.dest)
            elif default != stated[1]:
                others.add((name, option.dest))
    # Decided later: by the recipe, and by what can be searched.
    assert others == {("train", "seed"), ("tune", "space")}
