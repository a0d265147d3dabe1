"""Tags of examples: undone and redone, each change saved at once.

The file is rewritten at each change. It lists the examples of each category: 10,000
tags are 60 kB and take 3 ms, so a journal would not be noticeably faster.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import as_path, check_writable, keep_aside, read_json, write_text
from fastdl.typing import Json

CATEGORIES = (
    "incorrectly labelled",
    "ambiguous",
    "poor quality",
    "unusual",
    "other",
)
WRONG_LABEL = CATEGORIES[0]
# Somebody checked the label and found it right; not a cause of a mistake.
RIGHT_LABEL = "label confirmed"
_FORMAT = 1
_MOST_CATEGORIES = 100
_LONGEST = 60  # characters of a category
_DEEPEST = 10_000  # changes that can be undone

Members = dict[str, set[int]]  # examples by category
_Change = TypeVar("_Change", bound=Callable[..., Any])


def _alone(change: _Change) -> _Change:
    """Let threads that share the tags make one change after the other."""

    @wraps(change)
    def alone(self: Tags, *args: Any) -> Any:
        with self._lock:
            return change(self, *args)

    return cast("_Change", alone)


class Tags:
    """Which examples are in which category; an example may be in several.

    Parameters
    ----------
    examples : mapping
        What the tags belong to, as JSON: ``"count"``, and what identifies them.
    path : path, optional
        The file that keeps them; by default they are in memory only.
    categories : iterable of str
        The categories to start with; others are made by their first tag.

    Attributes
    ----------
    notice : str
        What was done with a damaged file, or empty.

    Raises
    ------
    DataError
        The file is for other examples, or from a newer fastdl. A damaged file is no
        error: it is kept as ``tags.json.damaged-1`` (2, ...), with a warning.
    OSError
        The file cannot be read or written.
    """

    def __init__(
        self,
        examples: Mapping[str, Any],
        path: str | os.PathLike[str] | None = None,
        categories: Iterable[str] = CATEGORIES,
    ) -> None:
        self.examples = dict(examples)
        self.path = None if path is None else as_path(path)
        self.notice = ""
        self._members: Members = {check_category(name): set() for name in categories}
        self._done: list[Members] = []  # the examples that each change flipped
        self._undone: list[Members] = []
        self._lock = threading.RLock()
        if self.path is not None:
            check_writable(self.path)  # now, not at the first tag
            self._members |= self._read(self.path)
            self._seen = _stamp(self.path)

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, in the order in which they were made."""
        return tuple(self._members)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone change."""
        return bool(self._undone)

    def of(self, index: int) -> tuple[str, ...]:
        """Return the categories of an example."""
        return tuple(name for name, has in self._members.items() if index in has)

    def members(self, category: str) -> frozenset[int]:
        """Return the examples of a category; ArgumentError if it does not exist."""
        if category not in self._members:
            raise ArgumentError(
                f"tags: there is no category {category!r}"
                f"{suggest(category, self._members)}"
            )
        return frozenset(self._members[category])

    def tagged(self) -> frozenset[int]:
        """Return the examples that are in any category."""
        return frozenset().union(*self._members.values())

    @_alone
    def set(self, wanted: Mapping[str, Mapping[int, bool]]) -> list[int]:
        """Put examples into categories, or take them out, as one change.

        Parameters
        ----------
        wanted : mapping of mapping
            For each category, whether an example is to be in it.

        Returns
        -------
        list of int
            The examples whose tags changed.

        Raises
        ------
        ArgumentError
            There is no such example, a category's name is not valid, or there are too
            many. Nothing is changed.
        DataError
            Another program changed the file meanwhile. Nothing is changed.
        OSError
            The file could not be written. Nothing is changed.
        """
        flips: Members = {}
        for name, of_examples in wanted.items():
            check_examples(of_examples, self.examples["count"])
            members = self._members.get(category := check_category(name), set())
            flips[category] = {
                index
                for index, inside in of_examples.items()
                if inside != (index in members)
            }
        new = flips.keys() - self._members.keys()
        if len(self._members) + len(new) > _MOST_CATEGORIES:
            raise ArgumentError(f"tags: at most {_MOST_CATEGORIES} categories")
        if not any(flips.values()):
            return []
        changed = self._flip(flips)
        self._done = [*self._done[1 - _DEEPEST :], flips]
        self._undone.clear()
        return changed

    @_alone
    def undo(self) -> list[int]:
        """Undo the last change; return the examples that it affected."""
        return self._move(self._done, self._undone)

    @_alone
    def redo(self) -> list[int]:
        """Redo the last undone change; return the examples that it affected."""
        return self._move(self._undone, self._done)

    @_alone
    def rename(self, old: str, new: str) -> list[int]:
        """Rename a category, or merge it into another; return its examples.

        Raises as `set` does.
        """
        members = self.members(old)
        if check_category(new) == old:
            return []
        changed = self.set(
            {old: dict.fromkeys(members, False), new: dict.fromkeys(members, True)}
        )
        self.forget(old)
        return changed

    @_alone
    def forget(self, category: str) -> None:
        """Remove a category without examples; ArgumentError if it has any."""
        if members := self.members(category):
            raise ArgumentError(
                f"tags: {len(members)} examples are in {category!r}; untag them first, "
                f"or rename it"
            )
        self._replace({n: has for n, has in self._members.items() if n != category})

    def to_dict(self) -> dict[str, Json]:
        """Return everything as data for JSON, which `parse_tags` reads."""
        tags = {name: sorted(has) for name, has in self._members.items()}
        return {"format": _FORMAT, "examples": self.examples, "tags": tags}

    def check_same_examples(self, examples: Mapping[str, Any], source: object) -> None:
        """Raise DataError if tags that were read are for other examples."""
        if examples != self.examples:
            raise DataError(
                f"{source} has the tags of {_describe(examples)}, which are not these "
                f"{_describe(self.examples)}; use it with the data that it was made "
                f"with, or move it away to begin anew"
            )

    def _move(self, source: list[Members], target: list[Members]) -> list[int]:
        if not source:
            return []
        changed = self._flip(source[-1])
        target.append(source.pop())
        return changed

    def _flip(self, flips: Members) -> list[int]:
        members = self._members
        self._replace(
            members | {name: members.get(name, set()) ^ f for name, f in flips.items()}
        )
        return sorted(set().union(*flips.values()))

    def _replace(self, members: Members) -> None:
        """Change the tags, unless they cannot be saved."""
        before, self._members = self._members, members
        try:
            self._save()
        except BaseException:
            self._members = before
            raise

    def _save(self) -> None:
        if self.path is None:
            return
        if _stamp(self.path) not in (self._seen, None):
            raise DataError(
                f"{self.path} was changed by another program; open it again to go on"
            )
        write_text(self.path, json.dumps(self.to_dict(), ensure_ascii=False) + "\n")
        self._seen = _stamp(self.path)

    def _read(self, path: Path) -> Members:
        if not path.exists():
            return {}
        try:
            examples, members = parse_tags(read_json(path), path)
        except _Newer:
            raise
        except DataError as damage:
            self.notice = f"{damage}. It is kept as {Path(keep_aside(path)).name}."
            warnings.warn(self.notice, stacklevel=4)
            return {}
        self.check_same_examples(examples, path)
        return members


class _Newer(DataError):
    """A file that is not damaged but from a later version of fastdl."""


def parse_tags(content: object, source: object) -> tuple[dict[str, Any], Members]:
    """Return the examples and the tags in data from `Tags.to_dict`.

    Raises
    ------
    DataError
        They are not tags, or from a newer fastdl; the message starts with `source`.
    """
    if not isinstance(content, dict):
        raise DataError(f"{source} is damaged, it holds no tags: {content!r:.60}")
    try:
        version = content["format"]
        if type(version) is int and version > _FORMAT:
            raise _Newer(f"{source} was written by a newer fastdl")
        if version != _FORMAT:
            raise DataError(f"the format {version!r:.60} is unknown")
        examples, members = content["examples"], {}
        for name, indices in content["tags"].items():
            check_examples(indices, examples["count"])
            members[check_category(name)] = set(indices)
    except _Newer:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise DataError(f"{source} is damaged, it holds no tags: {what}") from error
    except (ArgumentError, DataError) as error:
        raise DataError(f"{source} is damaged: {error}") from error
    return examples, members


def check_category(name: object) -> str:
    """Return the name of a category without spaces around it.

    Raises
    ------
    ArgumentError
        It is not a text, is empty, is longer than 60 characters, or has a line break or
        another control character.
    """
    text = name.strip() if isinstance(name, str) else ""
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise ArgumentError(
            f"tags: a category is a text of 1 to {_LONGEST} characters in one line, "
            f"got {name!r:.80}"
        )
    return text


def check_examples(indices: Iterable[object], count: int) -> None:
    """Raise ArgumentError unless all are examples, integers from 0 to `count` - 1."""
    for index in indices:
        if type(index) is not int or not 0 <= index < count:
            raise ArgumentError(
                f"tags: an example is an integer from 0 to {count - 1}, got "
                f"{index!r:.60}"
            )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is written; None if there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _describe(examples: Mapping[str, Any]) -> str:
    return f"{examples.get('count')} examples ({examples.get('digest')!r:.12}...)"
