"""The small faults that are put into C and Cython, and the tests that should see them.

clang-format and cython-lint fix the white space, so one line tells enough: an operator
stands between spaces, a statement has lines of its own. What only makes kernels fast is
left alone: the model of costs, prefetching, sizes of caches, the compiler's pragmas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.changes import Change

SWAPS = {
    **{"+": "-", "-": "+", "*": "+", "/": "*", "//": "*", "%": "*"},
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    **{"&&": "||", "||": "&&", "and": "or", "or": "and", "&": "|", "|": "&"},
    **{"+=": "-=", "-=": "+=", "*=": "+=", "<<": ">>", ">>": "<<"},
}
_OPERATOR = re.compile(
    r" ([-+*/%<>]|//|[<>=!]=|&&|\|\||and|or|[&|]|[-+*]=|<<|>>) (?=[^ ])"
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_CALL = re.compile(r"\b(\w+)\(([\w.>\[\]-]+), ([\w.>\[\]-]+)(?=[,)])")
_C_STATEMENT = re.compile(
    r"^ +(?!return\b|break\b|case\b|continue\b|goto\b|else\b|const\b|static\b)"
    r"(?:\w+\([^{}]*\)|[\w.>\[\]*()+ -]+? [-+*|&]?= [^{}]*);$",
    re.M,
)
_DECLARATION = re.compile(r"^ +(?:\w+ )+\*?\w+(?:\[\w+\])? = ")
_CYTHON_STATEMENT = re.compile(
    r"^ +(?:(?:[\w.]+)\([^()]*(?:\([^()]*\)[^()]*)*\)|[\w.\[\]]+ [-+*|&]?= .*[^,(\\])$",
    re.M,
)
SYMMETRIC = {"min", "max", "MIN", "MAX"}
# Only for speed, only declarations, or a part of so much that all would be built.
LEFT_OUT = {
    *("csrc/peak.c", "csrc/prefetch.h", "csrc/isa.h", "csrc/microkernels.h"),
    *("csrc/microkernels.c", "csrc/openmp.h", "csrc/pool.h", "csrc/team.h"),
    *("csrc/thread.h", "csrc/aligned.h", "csrc/denormals.h", "csrc/forbidden.h"),
    *("fastdl/kernels/engine/prefetch.pxd", "fastdl/kernels/engine/table.pxd"),
}
# The tests of tests/kernels whose name is another one.
TESTS = {
    **dict.fromkeys(("depthwise", "planes", "winograd"), "conv2d"),
    **{"pool2d_backward": "pool2d", "resample": "upsample augment", "pool": "threads"},
    **{"team": "threads", "sums": "matmul batchnorm"},
    **{"dispatch": "runtime", "runtime": "runtime threads", "schedule": "threads"},
    **{"arrays": "memory elementwise matmul"},
    **{"shares": "threads", "denormals": "threads activation"},
    **{"memory": "memory", "spans": "elementwise activation softmax"},
    **{"sizes": "matmul conv2d", "workspace": "conv2d", "operands": "matmul conv2d"},
    **{"caches": "caches"},
}


def native_changes(root: Path, path: str) -> Iterator[Change]:
    """Yield all changes of a file of C or Cython."""
    if path in LEFT_OUT:
        return
    text = (root / path).read_text(encoding="utf-8")
    is_c = path.endswith((".c", ".h"))
    code = _masked(text, is_c)

    def change(start: int, end: int, new: str) -> Change:
        line = text.count("\n", 0, start) + 1
        return Change(path, start, end, new, line, line)

    for found in _OPERATOR.finditer(code):
        if found[1] in SWAPS:
            yield change(*found.span(1), SWAPS[found[1]])
    for found in _NUMBER.finditer(code):
        for new in (int(found[0]) + 1, int(found[0]) - 1):
            if new >= 0:
                yield change(*found.span(), str(new))
    for found in _CALL.finditer(code):
        if found[1] not in SYMMETRIC and found[2] != found[3]:
            yield change(found.start(2), found.end(3), f"{found[3]}, {found[2]}")
    for found in (_C_STATEMENT if is_c else _CYTHON_STATEMENT).finditer(code):
        start = found.start() + len(found[0]) - len(found[0].lstrip())
        if not _DECLARATION.match(found[0]) and not found[0].lstrip().startswith(
            "cdef"
        ):
            yield change(start, found.end(), ";" if is_c else "pass")


def _masked(text: str, is_c: bool) -> str:
    """Return the text with blanks where nothing is to be changed."""

    def blank(found: re.Match) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    if is_c:
        words = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
        text = re.sub(words, blank, text, flags=re.S)
        text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
        return re.sub(
            r"^.*(?:assert|prefetch|static const).*$", blank, text, flags=re.M
        )
    words = r'"""(?:.*?)"""|#[^\n]*|f?"(?:\\.|[^"\\\n])*"'
    text = re.sub(words, blank, text, flags=re.S)
    heads = r"^(?:cdef enum|cdef extern|from |import |cimport ).*(?:\n(?: +.*|\))?)*"
    text = re.sub(heads, blank, text, flags=re.M)
    costs = r"^cdef (?:inline )?double \w*cost\b.*(?:\n(?: +.*|\).*)?)*"
    text = re.sub(costs, blank, text, flags=re.M)
    lines = r"^.*(?:prefetch|\blater\b|Later|ImportError|\braise\b|assert |\bwork\b).*$"
    return re.sub(lines, blank, text, flags=re.M)


def native_tests(*paths: str) -> list[str]:
    """Return the tests of some files or of their names: their own, then of all."""
    names: list[str] = []
    for path in paths:
        stem = Path(path).stem
        names += ["conv2d"] if "/conv2d/" in path else TESTS.get(stem, stem).split()
    own = [f"tests/kernels/test_{name}.py" for name in dict.fromkeys(names)]
    return [*own, "tests/kernels/test_random_calls.py"]
