"""Arguments that are numbers."""

from __future__ import annotations

from numbers import Real
from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a real number, NaN and infinity included.

    To Python True is a number too; as an argument it is a mistake. So is an integer
    that is too large for a float: it would fail in the first formula.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True
