"""Arguments that are numbers."""

from __future__ import annotations

from numbers import Real
from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a real number, NaN and infinity included.

    To Python True is a number too; as an argument it is a mistake.
    """
    return isinstance(value, Real) and not isinstance(value, bool)
