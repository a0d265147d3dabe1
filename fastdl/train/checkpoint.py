"""The state of a training in one file, to resume from."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastdl import backend, random
from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.files import (
    as_path,
    check_writable,
    keep_aside,
    locked,
    parse_json,
    previous,
    read_tensors,
    write_tensors,
)
from fastdl.nn.serialize import CHECKPOINT as _KEY
from fastdl.train.callback import Callback
from fastdl.train.description import Run, differences, options
from fastdl.train.fingerprint import text_of
from fastdl.train.position import Position, check_position
from fastdl.train.schedule import Schedule
from fastdl.train.snapshot import Snapshot
from fastdl.train.state import (
    check_groups,
    check_history,
    check_like,
    check_optimizer,
    count,
    get,
    prefixed,
    within,
)
from fastdl.typing import StrPath

_FORMAT = 3  # 1 did not describe the run, 2 had no position within an epoch
_LOSS = {"loss", "loss_weights"}
_RATES = {"lr", "epochs", "optimizer"}  # if these change, a schedule sets other rates
_ORDER = {  # if these change, other batches follow: the epoch begins again
    *("data", "batch_size", "shuffle", "seed", "drop_last"),
    *("sampler", "batch_sampler", "collate_fn"),
}


class _Saved(NamedTuple):
    """What was read from the file, and the names of the changes that were allowed."""

    arrays: dict[str, np.ndarray]
    state: dict[str, Any]
    changed: set[str]


class Checkpoint:
    """The model, the optimiser, the history, the order of the data, the callbacks.

    One safetensors file: arrays by name, and everything else as JSON in its metadata.
    It describes the run, so that no other run resumes from it by mistake.

    Parameters
    ----------
    path : path
        The file; replaced as a whole or not at all. The one that was there before is
        kept, see `previous`.
    run : Run
        The run whose state it holds, before its first step.
    """

    def __init__(self, path: StrPath, run: Run) -> None:
        self.path = as_path(path)
        self._trainer, self._loader = run.trainer, run.loader
        self._callbacks, self._epochs = run.callbacks, run.epochs
        self._description = run.describe()
        self._source = self.path  # what was read
        self._saved: _Saved | None = None
        self._before: Snapshot | None = None

    @property
    def _names(self) -> list[str]:
        return [type(callback).__name__ for callback in self._callbacks]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing the file while the block runs.

        The first rank does.

        Raises
        ------
        DataError
            Another process does.
        OSError
            It cannot be written.
        """
        if not self._trainer.ranks.is_first:
            yield
            return
        for path in (self.path, previous(self.path)):
            check_writable(path)
        real = self.path.resolve()
        lock = real.with_name(f".{real.name}.lock")
        with locked(lock, f"is training, and writes {self.path}"):
            yield

    def save(self, epochs: int, position: Position | None = None) -> None:
        """Write the file after so many epochs of this ``fit``; all ranks call it.

        Parameters
        ----------
        epochs : int
            How many are complete.
        position : Position, optional
            Within the epoch that follows.

        Raises
        ------
        UnknownKindError
            A metric gathers what cannot be written.
        OSError
            The file cannot be written.
        """
        model, ranks = self._trainer.model, self._trainer.ranks
        own = {} if position is None else ranks.statistics(model)
        if not ranks.is_first:
            return
        optimizer = self._trainer.optimizer.state_dict()
        arrays = prefixed("model", model.state_dict()) | prefixed("rank", own)
        arrays |= prefixed("loss", self._trainer._learned_weights().state_dict())
        arrays |= prefixed("optimizer", optimizer.pop("state"))
        states = []
        for index, callback in enumerate(self._callbacks):
            state = callback.state_dict()
            big = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
            arrays |= prefixed(f"callback{index}", big)
            states.append({k: v for k, v in state.items() if k not in big})
        where: dict[str, Any] | None = None
        if position is not None:
            gathered: dict[str, np.ndarray] = {}
            where = position.state_dict(gathered)
            arrays |= prefixed("position", gathered)
        description = {
            "format": _FORMAT,
            "run": self._description,
            "epochs": epochs,
            "all_epochs": self._epochs,
            "stopped": self._trainer._stopping,
            # A loader counts an epoch when it begins.
            "loader": self._loader.epoch - (position is not None),
            "position": where,
            "random": random.state_dict(),
            "computed_by": _computer(),
            "history": self._trainer.history.rows,
            "optimizer": optimizer,
            "callbacks": self._names,
            "states": states,
            "arrays": sorted(arrays),
        }
        text = json.dumps(description, default=_plain)
        write_tensors(arrays, self.path, {_KEY: text}, keep=True)

    def check_replaced(self) -> None:
        """Look at the file that the first `save` replaces; a damaged one is nothing.

        Raises
        ------
        ArgumentError
            It holds something else than a checkpoint. One of a training that was
            interrupted is told by a warning.
        """
        if not self._trainer.ranks.is_first:
            return
        try:
            arrays, metadata = read_tensors(self.path)
            if _KEY not in metadata:
                raise ArgumentError(
                    f"fit: {self.path} is no checkpoint of a training, and would be "
                    f"replaced by one; choose another name"
                )
            state = parse_json(metadata[_KEY], self.path)
            _check(state, arrays)
        except (DataError, OSError):
            return
        epochs, all_ = state["epochs"], state.get("all_epochs", 0)  # not in older files
        if epochs < all_ and not state["stopped"]:
            warnings.warn(
                f"fit: {self.path} holds a training that was interrupted after "
                f"{epochs} of {all_} epochs, which this one replaces; resume=True goes "
                f"on with it",
                stacklevel=3,
            )

    # Resuming

    def read(self, allow_changes: Sequence[str] | None) -> None:
        """Read the file and compare the runs; nothing else is changed.

        If it is damaged, or lost, that is told by a warning, and the one before is
        read. The damaged one is kept under another name.

        Parameters
        ----------
        allow_changes : sequence of str, optional
            Names of what may differ.

        Raises
        ------
        DataError
            The file is missing, damaged, not a checkpoint, or does not fit the model.
        ArgumentError
            It is of another run, or a name is unknown.
        """
        arrays, metadata, damage = self._newest()
        if _KEY not in metadata:
            raise DataError(
                f"{self._source} is no checkpoint of a training; Trainer.load and "
                f"fastdl.load read what `Trainer.save` and `fastdl.save` wrote"
            )
        state = parse_json(metadata[_KEY], f"{self._source}: its state")
        with self._blaming("its state"):
            _check(state, arrays)
        changed = self._compare(state, allow_changes)
        if changed & _ORDER:
            state["position"] = None
        elif state["position"] is not None:
            with self._blaming("its position"):
                _check_batch(state["position"]["batch"], len(self._loader))
        before = Snapshot(self._trainer, self._loader, self._callbacks)
        with self._blaming("the model"):
            check_like(within("model.", arrays), before.model)
        if not changed & _LOSS:
            with self._blaming("the loss"):
                check_like(within("loss.", arrays), before.loss)
        if "optimizer" not in changed:
            with self._blaming("the optimiser"):
                check_groups(before.optimizer["param_groups"], state, arrays)
        self._saved, self._before = _Saved(arrays, state, changed), before
        computer = state.get("computed_by", _computer())  # not in older files
        if computer != _computer() and self._trainer.ranks.is_first:
            warnings.warn(
                f"{self._source} was computed by {computer}, now it is {_computer()}, "
                f"which rounds otherwise: the result will not be bit for bit that of "
                f"an uninterrupted training",
                stacklevel=4,
            )
        if damage is not None and self._trainer.ranks.is_first:
            kept = ""
            if self.path.exists():
                kept = f" (it is kept as {keep_aside(self.path)})"
            warnings.warn(
                f"{damage}{kept}; the training goes on from the checkpoint before that",
                stacklevel=4,
            )

    def _newest(self) -> tuple[dict[str, np.ndarray], dict[str, str], Exception | None]:
        """Read the file; if it is damaged the one before, and return the reason too."""
        self._source = self.path
        try:
            return *read_tensors(self.path), None
        except (DataError, OSError) as error:
            damage = error
        self._source = previous(self.path)
        if not (self.path.exists() or self._source.exists()):
            raise DataError(
                f"there is no file {self.path} to go on from; begin without resume=True"
            )
        try:
            arrays, metadata = read_tensors(self._source)
        except (DataError, OSError):
            raise damage from None
        if _KEY not in metadata:
            raise damage
        return arrays, metadata, damage

    def restore(self) -> int:
        """Put back what `read` read, and return how many epochs are complete.

        Within an epoch `go_on` follows.

        Raises
        ------
        DataError
            The state does not fit; `undo` puts back what was changed until then.
        """
        assert self._saved is not None
        state = self._saved.state
        self._put_back(self._saved)
        self._trainer.history.rows[:] = state["history"]
        self._loader.epoch = state["loader"]
        if state["position"] is None or state["epochs"] >= self._epochs:
            self._end()
        return state["epochs"]

    def go_on(self, position: Position) -> None:
        """Go to where in an epoch the file was written.

        To be called when the callbacks have begun that epoch again: what they changed
        by that is put back too. Does nothing after a whole epoch.

        Raises
        ------
        DataError
            As for `restore`.
        """
        if self._saved is None:
            return
        arrays, state, changed = self._saved
        self._put_back(self._saved)
        with self._blaming("its position"):
            own = within("position.", arrays)
            position.load_state_dict(state["position"], own, changed)
            own = within("rank.", arrays)
            self._trainer.ranks.take_statistics(self._trainer.model, own)
        self._end()

    def _end(self) -> None:
        assert self._saved is not None
        # Other callbacks may not want to stop.
        stopped = (
            self._saved.state["stopped"] and "callbacks" not in self._saved.changed
        )
        self._trainer._stopping = stopped
        self._saved = self._before = None  # frees their memory

    def _put_back(self, saved: _Saved) -> None:
        arrays, state, changed = saved
        with self._blaming("the model"):
            self._trainer.model.load_state_dict(within("model.", arrays))
        if not changed & _LOSS:  # another one starts afresh
            self._trainer._learned_weights().load_state_dict(within("loss.", arrays))
        if "optimizer" not in changed:  # another one starts afresh
            with self._blaming("the optimiser"):
                self._restore_optimizer(saved)
        for number, callback in enumerate(self._callbacks):
            self._restore_callback(number, callback, saved)
        if state["random"] is not None:
            with self._blaming("its random state"):
                random.load_state_dict(state["random"])

    def undo(self, *exception: object) -> None:
        """Make everything as it was after `read`, unless the restore succeeded.

        For ``ExitStack.push``, before the callbacks are pushed, since ``on_train_end``
        changes things.
        """
        if self._before is not None:
            self._before.put_back()

    def _restore_callback(self, number: int, callback: Callback, saved: _Saved) -> None:
        arrays, state, changed = saved
        name = self._names[number]
        index = _place(state["callbacks"], name, self._names[:number].count(name))
        if index is None:  # a new one starts afresh
            return
        own = state["states"][index] | within(f"callback{index}.", arrays)
        with self._blaming(f"callback {index} ({name})"):
            if isinstance(callback, Schedule) and changed & _RATES:
                callback.go_on(own)
            else:
                callback.load_state_dict(own)

    def _restore_optimizer(self, saved: _Saved) -> None:
        optimizer = self._trainer.optimizer
        before = [dict(group) for group in optimizer.param_groups]
        state = within("optimizer.", saved.arrays)
        optimizer.load_state_dict(saved.state["optimizer"] | {"state": state})
        for group, own in zip(optimizer.param_groups, before, strict=True):
            for option in own.keys() & _changed_options(saved.changed, own):
                group[option] = own[option]

    def _compare(self, state: dict[str, Any], allow_changes: object) -> set[str]:
        """Return the names of what differs; ArgumentError unless they are allowed."""
        allowed = _names(allow_changes)
        # "epochs" is compared only where a schedule depends on it.
        known = {"epochs", *self._description, *state.get("run", {})}
        for name in allowed:
            if not isinstance(name, str) or name not in known:
                hint = suggest(name, sorted(known))
                raise ArgumentError(f"fit: allow_changes: there is no {name!r}{hint}")
        found = self._differences(state)
        refused = [name for name in found if name not in allowed]
        if refused:
            raise ArgumentError(
                f"fit: {self._source} is of another training (there, now):\n"
                + "\n".join(found[name] for name in refused)
                + f"\nrepeat what it was made with, or let these differ by "
                f"allow_changes={refused} (--allow-changes {','.join(refused)})"
            )
        return set(found)

    def _differences(self, state: dict[str, Any]) -> dict[str, str]:
        if "run" not in state:
            return self._compare_names(state["callbacks"])
        now = self._description
        with self._blaming("its description"):
            found = differences(state["run"], now)
            current = options(state["optimizer"]["param_groups"])
        own = options(self._trainer.optimizer.param_groups)
        for name in found.keys() & (current.keys() | own.keys()):
            # Another optimiser has other options. And a rate that was lowered while the
            # training ran is no change by the user.
            implied = "optimizer" in found and name != "lr"
            if implied or text_of(current.get(name)) == text_of(now.get(name)):
                del found[name]
        return found

    def _compare_names(self, saved: list[str]) -> dict[str, str]:
        """Compare with a file of an earlier version, which describes no run."""
        warnings.warn(
            f"{self._source} was made by an earlier version of fastdl and does not say "
            f"of which training it is; whether the data, the loader, the model, the "
            f"loss and the options are the same is for you to know",
            stacklevel=7,
        )
        watching = {
            name
            for name, callback in zip(self._names, self._callbacks, strict=True)
            if callback.decides() is None and not isinstance(callback, Schedule)
        }
        if [n for n in saved if n not in watching] == [
            n for n in self._names if n not in watching
        ]:
            return {}
        return {"callbacks": f"  callbacks: {saved}, now {self._names}"}

    @contextmanager
    def _blaming(self, what: str) -> Iterator[None]:
        """Turn any error into a DataError that names the file and what failed."""
        try:
            yield
        except Exception as error:
            reason = str(error)
            if not isinstance(error, FastdlError):  # from a user's callback
                reason = f"{type(error).__name__}: {reason}"
            raise DataError(f"{self._source}: {what}: {reason}") from error


def _computer() -> str:
    """Name what decides how the kernels round."""
    if backend.name != "compiled":
        return backend.name
    from fastdl.kernels.engine import runtime

    return f"{runtime.get_isa()} by {runtime.compiler()}"


def _check(state: object, arrays: dict[str, np.ndarray]) -> None:
    """Raise DataError unless the state has the form that `Checkpoint.save` gives it."""
    if not isinstance(state, dict):
        raise DataError(f"expected a JSON object, got {state!r:.60}")
    version = count(state, "format") if "format" in state else 1
    if version > _FORMAT:
        raise DataError("it was made by a later version of fastdl; update this one")
    count(state, "epochs")
    if "all_epochs" in state:
        count(state, "all_epochs")
    if "computed_by" in state:
        get(state, "computed_by", str, "a text")
    get(state, "stopped", bool, "true or false")
    count(state, "loader")
    check_history(state)
    names = get(state, "callbacks", list, "a list of names")
    states = get(state, "states", list, "a list of states")
    if len(names) != len(states) or not all(isinstance(each, dict) for each in states):
        raise DataError(f"'states' must be those of {names!r:.60}, got {states!r:.60}")
    check_optimizer(state)
    if version < 3:
        state["position"] = state["random"] = None
    else:
        get(state, "random", dict, "where random numbers are drawn from")
        if state.get("position", {}) is not None:
            check_position(get(state, "position", dict, "a position in an epoch"))
    if version > 1 or "run" in state:
        get(state, "run", dict, "a description")
        listed = get(state, "arrays", list, "a list of names")
        if listed != sorted(arrays):
            raise DataError("the arrays are not those that were written")


def _check_batch(batch: int, batches: int) -> None:
    if batch > batches:
        raise DataError(f"'batch' is {batch}, but an epoch has {batches}")


def _names(allow_changes: object) -> Sequence[str]:
    """Return the names of what may differ as a list."""
    if allow_changes is None or isinstance(allow_changes, str):
        return [] if allow_changes is None else [allow_changes]
    if not isinstance(allow_changes, (list, tuple, set, frozenset)):
        raise ArgumentError(
            f"fit: allow_changes must be a list of names, such as ['lr'], got "
            f"{allow_changes!r:.60}"
        )
    return list(allow_changes)


def _changed_options(changed: set[str], own: dict[str, Any]) -> set[str]:
    """Return the options of a group for which the user's new value is used."""
    prefixed = {n for n in own if f"optimizer.{n}" in changed}
    return prefixed | (changed & own.keys())


def _place(names: list[str], name: str, before: int) -> int | None:
    """Return the place of a name that has come `before` times already, or None."""
    places = [index for index, each in enumerate(names) if each == name]
    return places[before] if before < len(places) else None


def _plain(value: object) -> object:
    """Return a NumPy number as one that JSON can hold."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}: {value!r:.60}")
