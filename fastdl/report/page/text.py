"""Numbers as text for people."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Return a measure for people: 0.0123, 1.5e-05, 12,345."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else "∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def short(value: float) -> str:
    """Return a short form of a number: 0.25, 3e-5, 1.5k, 2.398M."""
    if value and abs(value) < 1e-4:
        digits, _, exponent = f"{value:.1e}".partition("e")
        return f"{digits.removesuffix('.0')}e{int(exponent)}"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Return a probability: 98%, 0.3%, <0.1%."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{share:.{0 if share > 0.1 else 1}%}"


def duration(seconds: float) -> str:
    """Return a time: 0.25 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if not 60 <= seconds < math.inf:  # a damaged file may have anything
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, thing: str) -> str:
    """Return "1 epoch", "1,000 epochs"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def file_size(count: int) -> str:
    """Return 450 bytes, 445 kB, 9.3 MB."""
    for limit, unit in ((1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count} bytes"
