"""A trainer in one file: everything that training goes on with.

It is a file of `fastdl.save`, with the state of the optimiser beside the weights, and
everything else as JSON in its metadata: nothing is pickled. A part (the loss, a metric,
a penalty) is described by what made it: a public name of fastdl, with plain arguments.
Any other, such as a function of the user's, cannot be, and is to be given again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from fastdl import functional, metrics, nn, optim
from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.files import ASIDE, as_path, parse_json, read_tensors, write_tensors
from fastdl.nn import init
from fastdl.nn.registry import from_config, to_config
from fastdl.nn.serialize import CHECKPOINT, contents, describes_model, made_from
from fastdl.optim import Optimizer
from fastdl.train.fingerprint import describe, text_of
from fastdl.train.learner import Learner
from fastdl.train.state import (
    check_history,
    check_like,
    check_optimizer,
    count,
    get,
    prefixed,
    within,
)
from fastdl.typing import Json, StrPath

T = TypeVar("T", bound=Learner)

_KEY = "fastdl.trainer"  # in the file's metadata
_FORMAT = 1
_ROOMS: dict[str, ModuleType] = {
    "functional": functional,
    "metrics": metrics,
    "nn": nn,
    "optim": optim,
}
# Whose functions may be parts, as they only compute; those of nn write files too.
_FUNCTIONS = ("functional", "metrics")
_PARTS = ("loss", "metrics", "regularization", "constraint")
_LIMITS = ("clip_norm", "clip_value")
_LARGEST = 2**20  # numbers in a layer of a loss or a penalty
_DEEPEST = 32


class _OwnError(FastdlError):
    """A part that is the user's own cannot be described."""


def save(trainer: Learner, path: StrPath) -> None:
    """Write a trainer, see `Trainer.save`."""
    path = as_path(path, "save")
    weights, metadata = contents(trainer.model)
    aside: dict[str, np.ndarray] = {}
    if isinstance(trainer.loss, nn.Module):
        aside |= prefixed("loss", trainer.loss.state_dict())
    own = {
        "loss": trainer.loss,
        "metrics": trainer._metrics_given,
        **{name: trainer._settings[name] for name in _PARTS[2:]},
    }
    state: dict[str, Json] = {
        "format": _FORMAT,
        "parts": {name: _described_or_own(part) for name, part in own.items()},
        "limits": {name: _plain(trainer._settings[name]) for name in _LIMITS},
        "history": [_plain(row) for row in trainer.history.rows],
        "frozen": _frozen(trainer.model),
    }
    if trainer._optimizer is None:  # `fit` will make it
        state["maker"] = _described_or_own(trainer._make_optimizer)
    else:
        optimizer = trainer._optimizer.state_dict()
        aside |= prefixed("optimizer", optimizer.pop("state"))
        state["maker"] = _described_or_own(type(trainer._optimizer))
        state["groups"] = _group_names(trainer)
        state["optimizer"] = _plain(optimizer)
    state["arrays"] = sorted(aside)
    metadata[_KEY] = json.dumps(state)
    aside = {ASIDE + name: array for name, array in aside.items()}
    write_tensors({**weights, **aside}, path, metadata)


def load(kind: Callable[..., T], path: StrPath, given: Mapping[str, Any]) -> T:
    """Read a trainer, see `Trainer.load`.

    Parameters
    ----------
    kind : callable
        The class of the trainer, or what makes one in its place.
    path : path
        The file.
    given : mapping of str to object
        The parts that are used instead of those in the file.
    """
    arrays, metadata = read_tensors(path, aside=True)
    if _KEY not in metadata:
        hint = ""
        if describes_model(metadata):
            hint = ", but a model: Trainer(fastdl.load(path), ...) makes one"
        elif CHECKPOINT in metadata:
            hint = ", but a checkpoint: fit(checkpoint=path, resume=True) goes on"
        raise DataError(f"{path} holds no trainer{hint}")
    state = parse_json(metadata[_KEY], f"{path}: its trainer")
    aside = within(ASIDE, arrays)
    weights = {n: a for n, a in arrays.items() if not n.startswith(ASIDE)}
    with _blaming(path):
        _check(state, aside)
        missing = {
            name: spec["own"]
            for name, spec in {**state["parts"], "optimizer": state["maker"]}.items()
            if isinstance(spec, dict) and "own" in spec and name not in given
        }
    if missing:
        what = " and ".join(f"{name} ({text})" for name, text in missing.items())
        options = ", ".join(f"{name}=..." for name in missing)
        raise ArgumentError(
            f"Trainer.load: {path} cannot hold code, so give again the {what}: "
            f"Trainer.load(path, {options})"
        )
    model = made_from(weights, metadata, path)
    with _blaming(path), init.at_most(_LARGEST):
        parts = {
            name: _made(spec)
            for name, spec in state["parts"].items()
            if name not in given
        }
        maker = None if "optimizer" in given else _made(state["maker"])
        _freeze(model, state["frozen"])
    # What is wrong with arguments of the call is not the fault of the file.
    with nullcontext() if given else _blaming(path):
        chosen = {**parts, **state["limits"], "optimizer": maker, **given}
        trainer = kind(model, **chosen)
    with _blaming(path):
        trainer.history.rows[:] = state["history"]
        if isinstance(trainer.loss, nn.Module) and "loss" not in given:
            learned = within("loss.", aside)
            check_like(learned, trainer.loss.state_dict())
            trainer.loss.load_state_dict(learned)
    if "optimizer" in state:
        _restore_optimizer(trainer, state, within("optimizer.", aside), given, path)
    return trainer


def _restore_optimizer(
    trainer: Learner,
    state: dict[str, Any],
    arrays: dict[str, np.ndarray],
    given: Mapping[str, Any],
    path: StrPath,
) -> None:
    """Make the optimiser and give it its state, if it is of the class of the saved."""
    saved = state["optimizer"] | {"state": arrays}
    if "optimizer" not in given:
        with _blaming(path):
            named = _named_parameters(trainer)
            groups: list[Any] = [
                {**group, "params": [named[name] for name in names]}
                for group, names in zip(
                    saved["param_groups"], state["groups"], strict=True
                )
            ]
            made = _made(state["maker"])(groups)
            if not isinstance(made, Optimizer):
                raise DataError(f"{state['maker']!r:.60} is no optimiser")
            made.load_state_dict(saved)
            trainer._optimizer = made
    elif type(trainer.optimizer).__name__ == _class_name(state["maker"]):
        with _blaming(path):
            trainer.optimizer.load_state_dict(saved)


def _class_name(spec: Any) -> str:
    """Return the name of a class, described or the user's own."""
    text = spec["own"] if "own" in spec else spec["name"]
    return text.rpartition(".")[2]


def _check(state: object, aside: dict[str, np.ndarray]) -> None:
    """Raise DataError unless the state has the form that `save` gives it."""
    if not isinstance(state, dict):
        raise DataError(f"expected a JSON object, got {state!r:.60}")
    if count(state, "format", 1) > _FORMAT:
        raise DataError("it was made by a later version of fastdl; update this one")
    if get(state, "arrays", list, "a list of names") != sorted(aside):
        raise DataError("the arrays are not those that were written")
    parts = get(state, "parts", dict, "descriptions")
    if set(parts) != set(_PARTS):
        raise DataError(f"'parts' must be {_PARTS}, got {list(parts)!r:.80}")
    if set(get(state, "limits", dict, "limits")) != set(_LIMITS):
        raise DataError(f"'limits' must be {_LIMITS}")
    check_history(state)
    get(state, "maker", (dict, type(None)), "a description")
    frozen = get(state, "frozen", dict, "names")
    for kind in ("layers", "parameters"):
        get(frozen, kind, list, "a list of names")
    if "optimizer" in state:
        check_optimizer(state)
        groups = get(state, "groups", list, "a list of names for each group")
        for names in groups:
            if not isinstance(names, list):
                raise DataError(f"'groups' must hold lists, got {names!r:.60}")
        if not isinstance(state["maker"], dict) or not state["maker"].keys() & {
            *("own", "name")
        }:
            raise DataError("'maker' must be the class of the optimiser")


# What learns


def _named_parameters(trainer: Learner) -> dict[str, Any]:
    """Return all that an optimiser may train, by names that differ."""
    named = dict(trainer.model.named_parameters())
    learned = trainer._learned_weights().named_parameters()
    return named | {f"{ASIDE}{task}": weight for task, weight in learned}


def _group_names(trainer: Learner) -> Json:
    """Return the names of the parameters in each group."""
    names = {id(p): name for name, p in _named_parameters(trainer).items()}
    groups = []
    for group in trainer.optimizer.param_groups:
        if not all(id(parameter) in names for parameter in group["params"]):
            raise ArgumentError(
                "Trainer.save: the optimiser trains a parameter that is not of the "
                "model; save the model alone by fastdl.save(trainer.model, path)"
            )
        groups.append([names[id(parameter)] for parameter in group["params"]])
    return groups


def _frozen(model: nn.Module) -> dict[str, Json]:
    return {
        "layers": [name for name, module in model.named_modules() if module.frozen],
        "parameters": [n for n, p in model.named_parameters() if not p.requires_grad],
    }


def _freeze(model: nn.Module, frozen: dict[str, list[str]]) -> None:
    modules, parameters = dict(model.named_modules()), dict(model.named_parameters())
    for name in frozen["layers"]:
        modules[name].frozen = True
    for name in frozen["parameters"]:
        parameters[name].requires_grad = False


# Parts as data


def _described_or_own(part: object) -> Json:
    """Describe a part; a text in its place if it is the user's own."""
    try:
        spec = _described(part, 0)
    except _OwnError:
        name = getattr(part, "__name__", type(part).__name__)
        return {"own": str(name)}
    try:
        with init.at_most(_LARGEST):
            again = _made(spec)
    except Exception:  # whatever a class raises: the file would not do
        return {"own": type(part).__name__}
    same = text_of(describe(again)) == text_of(describe(part))
    return spec if same else {"own": type(part).__name__}


def _described(part: Any, depth: int) -> Json:
    """Return JSON from which `_made` makes an equal part."""
    if depth > _DEEPEST:
        raise _OwnError("nested too deeply")
    if isinstance(part, np.generic):
        part = part.item()
    if part is None or isinstance(part, (bool, int, float, str)):
        return part
    if isinstance(part, (list, tuple)):
        return [_described(each, depth + 1) for each in part]
    if isinstance(part, np.ndarray):
        return _described(part.tolist(), depth + 1)
    if isinstance(part, Mapping):
        pairs = [[key, value] for key, value in part.items()]
        return {"dict": _described(pairs, depth + 1)}
    if isinstance(part, nn.Module):
        try:
            return {"module": to_config(part)}
        except FastdlError as error:
            raise _OwnError(str(error)) from None
    if isinstance(part, partial):
        return {
            "partial": _described(part.func, depth + 1),
            "args": _described(part.args, depth + 1),
            "keywords": _described(part.keywords, depth + 1),
        }
    if isinstance(part, type) or inspect.isfunction(part):
        return {"name": _public_name(part)}
    return _described_object(part, depth)


def _described_object(part: Any, depth: int) -> Json:
    """Describe an object by its class and the arguments that it keeps."""
    name = _public_name(type(part))
    arguments = {}
    for key in inspect.signature(type(part)).parameters:
        try:
            arguments[key] = getattr(part, key)
        except (AttributeError, FastdlError):
            raise _OwnError(f"{name} does not keep {key}") from None
    return {"made": name, "arguments": _described(arguments, depth + 1)}


def _public_name(thing: Any) -> str:
    for room, module in _ROOMS.items():
        name = thing.__name__
        if getattr(module, name, None) is thing and _may_be_part(room, name):
            return f"{room}.{name}"
    raise _OwnError(f"{thing.__name__} is no public name of fastdl")


def _may_be_part(room: str, name: str) -> bool:
    """Whether a file may name this: a class, or a function that only computes."""
    module = _ROOMS.get(room)
    if module is None or name not in module.__all__:
        return False
    thing = getattr(module, name)
    return isinstance(thing, type) or (room in _FUNCTIONS and callable(thing))


def _made(spec: Any, depth: int = 0) -> Any:
    """Make a part of what `_described` returned; DataError if it is anything else."""
    if depth > _DEEPEST:
        raise DataError("a part is nested too deeply")
    if isinstance(spec, list):
        return tuple(_made(each, depth + 1) for each in spec)
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"dict"}:
        return dict(_made(spec["dict"], depth + 1))
    if spec.keys() == {"module"}:
        return from_config(spec["module"])
    if spec.keys() == {"name"}:
        return _of_name(spec["name"])
    if spec.keys() == {"partial", "args", "keywords"}:
        function = _made(spec["partial"], depth + 1)
        args, keywords = (_made(spec[key], depth + 1) for key in ("args", "keywords"))
        return partial(function, *args, **keywords)
    if spec.keys() == {"made", "arguments"}:
        cls = _of_name(spec["made"])
        if not isinstance(cls, type):
            raise DataError(f"{spec['made']!r} is no class")
        return cls(**_made(spec["arguments"], depth + 1))
    raise DataError(f"no description of a part: {spec!r:.60}")


def _of_name(name: object) -> Any:
    room, _, own = str(name).partition(".")
    if not _may_be_part(room, own):
        known = [
            f"{each}.{n}"
            for each, module in _ROOMS.items()
            for n in module.__all__
            if _may_be_part(each, n)
        ]
        raise DataError(f"there is no {name!r:.60}{suggest(str(name), known)}")
    return getattr(_ROOMS[room], own)


def _plain(value: Any) -> Json:
    """Return numbers of NumPy, in dicts and lists, as those that JSON can hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


@contextmanager
def _blaming(path: StrPath) -> Iterator[None]:
    """Turn any error into a DataError that names the file."""
    try:
        yield
    except Exception as error:
        reason = str(error)
        if not isinstance(error, FastdlError):
            reason = f"{type(error).__name__}: {reason}"
        raise DataError(f"{path}: its trainer: {reason}") from error
