"""A formula of measures, such as ``accuracy - 0.5 * seconds``, without eval."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from fastdl.errors import ArgumentError

_OPERATIONS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 500  # characters


class Formula:
    """One number computed from several measures.

    Parameters
    ----------
    text : str
        Names of measures, numbers, + - * / and parentheses; nothing else, so that a
        formula from anywhere is safe.

    Attributes
    ----------
    names : tuple of str
        The measures that it needs.

    Raises
    ------
    ArgumentError
        It has anything else in it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > _LONGEST:
            raise ArgumentError(f"formula: at most {_LONGEST} characters are read")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ArgumentError(f"formula {text!r} cannot be read: {error}") from None
        found: dict[str, None] = {}
        self._check(self._tree, found)
        self.names = tuple(found)

    def __call__(self, measures: Mapping[str, float]) -> float:
        """Return the value; NaN after a division by 0.

        Raises
        ------
        KeyError
            A measure is missing.
        """
        try:
            return self._value(self._tree, measures)
        except ZeroDivisionError:
            return math.nan

    def __str__(self) -> str:
        return self.text

    def _check(self, node: ast.AST, names: dict[str, None]) -> None:
        if isinstance(node, ast.Name):
            names[node.id] = None
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            self._check(node.left, names)
            self._check(node.right, names)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self._check(node.operand, names)
        elif not _is_number(node):
            what = ast.get_source_segment(self.text.strip(), node) or self.text
            raise ArgumentError(
                f"formula {self.text!r}: {what!r} is none of names, numbers, + - * / "
                f"and parentheses; give a function for anything else"
            )

    def _value(self, node: Any, measures: Mapping[str, float]) -> float:
        if isinstance(node, ast.Name):
            return float(measures[node.id])
        if isinstance(node, ast.BinOp):
            left, right = (self._value(n, measures) for n in (node.left, node.right))
            return _OPERATIONS[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            return -self._value(node.operand, measures)
        return float(node.value)


def _is_number(node: ast.AST) -> bool:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return False
    try:
        return isinstance(node.value, (int, float)) and math.isfinite(node.value)
    except OverflowError:
        return False
