"""Which tests can notice a change: those that run its lines, the fastest first."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import sqlite3
from collections import defaultdict
from functools import cache
from pathlib import Path

from coverage.numbits import numbits_to_nums

from tests.mutants.changes import Change


class Selection:
    """The tests that `recorder` has seen run each line.

    Parameters
    ----------
    root : Path
        Of the source tree.
    folder : Path
        With the files that coverage.py wrote, and ``seconds.json``.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.tests: dict[str, dict[int, set[str]]] = defaultdict(
            lambda: defaultdict(set)
        )
        self.seconds: dict[str, float] = {}
        self.recorded = 0.0  # when
        for times in folder.rglob("seconds.json"):
            self.seconds |= json.loads(times.read_text())
            self.recorded = max(self.recorded, times.stat().st_mtime)
        for data in folder.rglob("data*"):
            with contextlib.suppress(sqlite3.DatabaseError):  # its process was killed
                self._read(data)

    def _read(self, data: Path) -> None:
        rows = sqlite3.connect(data).execute(
            "select path, context, numbits from line_bits "
            "join file on file.id = file_id join context on context.id = context_id"
        )
        for file, context, bits in rows:
            test = context.removesuffix(" (call)")
            if test in self.seconds:
                lines = self.tests[str(Path(file).relative_to(self.root))]
                for line in numbits_to_nums(bits):
                    lines[line].add(test)

    def of(self, change: Change, seconds: float) -> list[str]:
        """Return the tests of a change; together they take at most so long.

        First come those of the same room, `tests/train` for `fastdl/train`.
        """
        lines = self.tests[change.path]
        found = set().union(*(lines[n] for n in self._lines(change)))
        if not found:  # it runs when the module is imported
            found = set().union(*lines.values())
        room = "tests/" + change.path.split("/")[1].removesuffix(".py")
        ranked = sorted(
            found,
            key=lambda test: (
                self.seconds[test] * (0.1 if test.startswith(room) else 1),
                test,
            ),
        )
        chosen, total = [], 0.0
        for test in ranked:
            total += self.seconds[test]
            if chosen and total > seconds:
                break
            chosen.append(test)
        return chosen

    def more(self, change: Change) -> list[str]:
        """Return the tests that `of` leaves out, for a change that it let survive.

        They are the file of the same name, the other parameters of the same tests, what
        else there is in the room (files that run other lines of the module, or that
        were not recorded), and files anywhere that run the module or are of the room
        and were written since.
        """
        room = Path("tests", *Path(change.path).parts[1:-1][:1])
        own = str(room / f"test_{Path(change.path).stem}.py")
        found = {own: None} if (self.root / own).exists() else {}
        for test in self.of(change, math.inf):
            if "[" in test:
                found[test.partition("[")[0]] = None
        recorded = {test.partition("::")[0] for test in self.seconds}
        near = set().union(*self.tests[change.path].values())
        files = {test.partition("::")[0] for test in near}
        of_room = {
            str(path.relative_to(self.root))
            for path in self.root.glob(f"{room}/test_*.py")
        }
        found |= dict.fromkeys(sorted(of_room & files | of_room - recorded))
        found |= dict.fromkeys(
            file
            for file in sorted(of_room | files)
            if (self.root / file).stat().st_mtime > self.recorded
        )
        return list(found)

    def _lines(self, change: Change) -> list[int]:
        """Return the lines of a change, or those that use the constant it defines."""
        uses = _uses(self.root / change.path)
        lines = [line for name in change.names for line in uses[name]]
        return lines or list(range(change.first, change.last + 1))


@cache
def _uses(path: Path) -> dict[str, list[int]]:
    uses = defaultdict(list)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id].append(node.lineno)
        elif isinstance(node, ast.Attribute):
            uses[node.attr].append(node.lineno)
    return uses
