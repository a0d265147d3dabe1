"""The small faults that are put into Python: one change of a line, and what it spoils.

Words for people are left alone (docstrings, messages, f-strings, annotations), and so
are asserts, and options that no run on this machine can tell apart (``encoding``).
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS = {
    **{ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*"},
    **{ast.Mod: "*", ast.Pow: "*", ast.BitAnd: "|", ast.BitOr: "&"},
    **{ast.LShift: ">>", ast.RShift: "<<"},
    **{ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!="},
    **{ast.NotEq: "==", ast.Is: "is not", ast.IsNot: "is", ast.In: "not in"},
    **{ast.NotIn: "in", ast.And: "or", ast.Or: "and"},
}
# Either order gives the same; or it is the mistake of a type, which mypy finds.
SYMMETRIC = {
    *("min", "max", "minimum", "maximum", "array_equal", "isclose", "gcd", "vdot"),
    *("add", "multiply", "logical_and", "logical_or", "cast", "isinstance", "union"),
}
# Nobody notices them where all goes well, or only who reads a progress bar or a help.
SILENT_OPTIONS = {
    *("encoding", "strict", "stacklevel", "daemon", "slots", "repr"),
    *("desc", "unit", "unit_scale", "help", "metavar", "description", "epilog"),
}
WORDS = {"warn", "print", "write", "info", "debug"}  # what they are given is for people


@dataclass(frozen=True, order=True)
class Change:
    """Some characters of a file that become others."""

    path: str
    start: int  # in the text of the file
    end: int
    new: str
    first: int  # the lines of the statement, from 1
    last: int
    names: tuple[str, ...] = ()  # that a constant of a module or a class defines

    def apply(self, text: str) -> str:
        """Return the text of the file with the fault."""
        return text[: self.start] + self.new + text[self.end :]

    def diff(self, text: str) -> str:
        """Return what changes, as `diff` shows it."""
        lines = difflib.unified_diff(
            text.splitlines(), self.apply(text).splitlines(), lineterm="", n=0
        )
        return "\n".join([f"{self.path}:{self.line(text)}", *list(lines)[3:]])

    def line(self, text: str) -> int:
        """Return the number of its line."""
        return text.count("\n", 0, self.start) + 1


def python_changes(root: Path, path: str, *, layout: bool) -> Iterator[Change]:
    """Yield all changes of a file; not the sizes in a picture, where it is `layout`."""
    text = (root / path).read_text(encoding="utf-8")
    yield from _Finder(path, text, layout).changes()


class _Finder:
    """Walks the tree of a file."""

    def __init__(self, path: str, text: str, layout: bool) -> None:
        self.path, self.text, self.layout = path, text, layout
        lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.bytes = [line.encode() for line in lines]
        self.first = self.last = 1
        self.names: tuple[str, ...] = ()
        self.found: list[Change] = []

    def changes(self) -> list[Change]:
        self.walk(ast.parse(self.text), None)
        return self.found

    def place(self, line: int, column: int) -> int:
        """Return where a line and a column in bytes are in the text."""
        return self.starts[line - 1] + len(self.bytes[line - 1][:column].decode())

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.place(node.end_lineno, node.end_col_offset)

    def source(self, node: ast.expr) -> str:
        return self.text[self.start(node) : self.end(node)]

    def add(self, start: int, end: int, new: str) -> None:
        if self.text[start:end] != new:
            self.found.append(
                Change(self.path, start, end, new, self.first, self.last, self.names)
            )

    def replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        self.add(self.start(node), self.end(node), new)

    def between(self, left: ast.expr, right: ast.expr, new: str) -> None:
        """Replace the operator between two operands."""
        start, end = self.end(left), self.start(right)
        found = re.search(r"is\s+not|not\s+in|[^\s()\\]+", self.text[start:end])
        assert found is not None
        self.add(start + found.start(), start + found.end(), new)

    def walk(self, node: ast.AST, parent: ast.AST | None) -> None:
        if _is_for_people(node):
            return
        if isinstance(node, ast.stmt):
            self.enter(node, parent)
        elif isinstance(node, ast.match_case):
            self.first = self.last = node.pattern.lineno
        method = getattr(self, f"in_{type(node).__name__}", None)
        if method is not None:
            method(node, parent)
        if _speaks(node):
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self.walk(child, node)

    def enter(self, node: ast.stmt, parent: ast.AST | None) -> None:
        """Note which lines run when this statement does: its head if it has a body."""
        body = getattr(node, "body", None) or getattr(node, "cases", None)
        self.first, self.last = node.lineno, node.end_lineno or node.lineno
        if body and not isinstance(node, ast.FunctionDef):
            head = body[0].pattern if isinstance(node, ast.Match) else body[0]
            self.last = max(node.lineno, head.lineno - 1)
        self.names = ()
        if isinstance(parent, ast.Module | ast.ClassDef):
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            self.names = tuple(
                each.id
                for target in targets
                for each in ast.walk(target or ast.Pass())
                if isinstance(each, ast.Name)
            )

    # Statements that go away

    def in_Expr(self, node: ast.Expr, parent: ast.AST) -> None:
        draws = self.layout and re.match(
            r"(axes|figure|axis)\b", self.source(node.value)
        )
        if isinstance(node.value, ast.Call) and not draws:
            self.replace(node, "pass")

    def in_AugAssign(self, node: ast.AugAssign, parent: ast.AST) -> None:
        self.between(node.target, node.value, SWAPS.get(type(node.op), "") + "=")
        self.replace(node, "pass")

    def in_Assign(self, node: ast.Assign, parent: ast.AST) -> None:
        if any(
            isinstance(each, ast.Attribute | ast.Subscript) for each in node.targets
        ):
            self.replace(node, "pass")

    def in_Raise(self, node: ast.Raise, parent: ast.AST) -> None:
        self.replace(node, "pass")

    def in_Return(self, node: ast.Return, parent: ast.AST) -> None:
        if not isinstance(node.value, ast.Constant | None):
            self.replace(node.value, "None")

    def in_Break(self, node: ast.Break, parent: ast.AST) -> None:
        self.replace(node, "continue")

    def in_Continue(self, node: ast.Continue, parent: ast.AST) -> None:
        self.replace(node, "break")

    # Conditions

    def in_If(self, node: ast.If | ast.IfExp | ast.While, parent: ast.AST) -> None:
        self.negate(node.test)

    in_IfExp = in_While = in_If

    def in_comprehension(self, node: ast.comprehension, parent: ast.AST) -> None:
        for test in node.ifs:
            self.negate(test)

    def negate(self, test: ast.expr) -> None:
        """Turn a condition round, unless its operator is changed so anyway."""
        is_turned = isinstance(test, ast.UnaryOp) or (
            isinstance(test, ast.Compare)
            and isinstance(
                test.ops[-1],
                ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn,
            )
        )
        if not is_turned:
            self.replace(test, f"not ({self.source(test)})")

    def in_BoolOp(self, node: ast.BoolOp, parent: ast.AST) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, SWAPS[type(node.op)])

    def in_UnaryOp(self, node: ast.UnaryOp, parent: ast.AST) -> None:
        if isinstance(node.op, ast.Not):
            self.replace(node, f"({self.source(node.operand)})")
        elif isinstance(node.op, ast.USub) and not isinstance(
            node.operand, ast.Constant
        ):
            self.replace(node, f"(+{self.source(node.operand)})")

    def in_Compare(self, node: ast.Compare, parent: ast.AST) -> None:
        operands = [node.left, *node.comparators]
        for left, right, op in zip(operands, operands[1:], node.ops, strict=False):
            self.between(left, right, SWAPS[type(op)])

    # Values

    def in_BinOp(self, node: ast.BinOp, parent: ast.AST) -> None:
        parts = (node.left, node.right)
        texts = any(
            isinstance(each, ast.JoinedStr)
            or (isinstance(each, ast.Constant) and isinstance(each.value, str))
            for part in parts
            for each in ast.walk(part)
        )
        if type(node.op) in SWAPS and not texts and not self.layout:
            self.between(*parts, SWAPS[type(node.op)])

    def in_Constant(self, node: ast.Constant, parent: ast.AST) -> None:
        value = node.value
        if isinstance(value, bool):
            self.replace(node, str(not value))
        elif isinstance(value, int | float) and not self.layout:
            if self.text[: self.start(node)].endswith("reshape(-"):
                return  # NumPy takes any number < 0
            new = value + 1 if isinstance(value, int) or value == 0 else 2 * value
            self.replace(node, repr(new))
        elif isinstance(value, str) and isinstance(parent, ast.Compare | ast.Subscript):
            self.replace(node, repr("other " + value))

    def in_Call(self, node: ast.Call, parent: ast.AST) -> None:
        function = self.source(node.func).rpartition(".")[2]
        plain = [each for each in node.args if not isinstance(each, ast.Starred)]
        swaps = function not in SYMMETRIC and not self.layout
        if len(plain) >= 2 and plain == node.args and swaps:
            one, other = plain[:2]
            middle = self.text[self.end(one) : self.start(other)]
            new = self.source(other) + middle + self.source(one)
            self.add(self.start(one), self.end(other), new)
        everything = sorted([*node.args, *node.keywords], key=self.start)
        for i, option in enumerate(everything):
            if not isinstance(option, ast.keyword) or option.arg is None or self.layout:
                continue
            if option.arg in SILENT_OPTIONS:
                continue
            if i:
                self.add(self.end(everything[i - 1]), self.end(option), "")
            elif len(everything) > 1:
                self.add(self.start(option), self.start(everything[1]), "")
            else:
                self.add(self.start(option), self.end(option), "")


def _speaks(node: ast.AST) -> bool:
    """Whether what a statement is given is a message."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func).rpartition(".")[2] in WORDS
    return isinstance(node, ast.Raise)


def _is_for_people(node: ast.AST) -> bool:
    """Whether a node is read by people or type checkers alone."""
    match node:
        case ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True  # a docstring
        case ast.FunctionDef(name=name, decorator_list=decorators):
            return name in ("__repr__", "__str__") or "overload" in map(
                ast.unparse, decorators
            )
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in ("__slots__", "__all__")
        case ast.AnnAssign(annotation=annotation):
            return "TypeAlias" in ast.unparse(annotation)
        case ast.keyword(arg=name):
            return name in SILENT_OPTIONS
        case ast.ClassDef(bases=bases):
            return any("Protocol" in ast.unparse(base) for base in bases)
    return False
