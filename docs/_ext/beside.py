"""The directive `beside`: a kernel in NumPy, and beside it the compiled one.

Each line of it names a file and what to show of it::

    fastdl/reference/dropout.py: dropout_forward
    csrc/dropout.c: keep_words; dropout

Names, not numbers of lines: a changed file is shown as it is, and a name that is gone
is an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.code import container_wrapper
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

ROOT = Path(__file__).parents[2]
LANGUAGES = {".py": "python", ".pyx": "cython", ".c": "c", ".h": "c"}


class Beside(SphinxDirective):
    """Show pieces of files, side by side where the page is wide enough."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a container with a block of code for each line."""
        group = nodes.container(classes=["beside"])
        for line in filter(None, map(str.strip, self.content)):
            name, _, wanted = line.partition(": ")
            path = ROOT / name
            self.env.note_dependency(str(path))
            text = path.read_text(encoding="utf-8")
            find = python if path.suffix == ".py" else compiled
            pieces = [find(text, each.strip()) for each in wanted.split(";")]
            if "" in pieces:
                raise self.error(f"{name} does not define all of {wanted}")
            code = "\n\n".join(pieces)
            block = nodes.literal_block(code, code, language=LANGUAGES[path.suffix])
            group += container_wrapper(self, block, f"``{name}``")
        return [group]


def python(text: str, name: str) -> str:
    """Return a function, with the first paragraph of its docstring only."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            lines = text.splitlines()
            said = node.body[0] if ast.get_docstring(node) else None
            if said and said.end_lineno > said.lineno:
                summary = lines[said.lineno - 1].rstrip() + '"""'
                lines[said.lineno - 1 : said.end_lineno] = [summary]
                removed = said.end_lineno - said.lineno
            else:
                removed = 0
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "\n".join(lines[first - 1 : node.end_lineno - removed])
    return ""


def compiled(text: str, name: str) -> str:
    """Return what a line at the margin defines, in C or Cython, with its comment."""
    lines = text.splitlines()
    start = re.compile(rf"(?=[A-Za-z])(.*\W)?{re.escape(name)}(?!\w)")
    for at, line in enumerate(lines):
        if start.match(line) and not line.endswith(";"):
            definition = [line, *body(line, lines[at + 1 :])]
            return "\n".join([*comment(lines[:at]), *definition]).rstrip()
    return ""


def comment(above: list[str]) -> list[str]:
    """Return the comment that ends right above, if one does."""
    if not above or not above[-1].rstrip().endswith("*/"):
        return []
    first = next(i for i in range(len(above) - 1, -1, -1) if "/*" in above[i])
    return above[first:] if above[first].startswith("/*") else []


def body(first: str, below: list[str]) -> Iterator[str]:
    """Yield the lines that belong to a definition."""
    if first.endswith("}"):
        return
    in_c = first.endswith("{") or first.endswith((",", ")"))
    for line in below:
        if line.startswith("}"):
            yield line
            return
        if not in_c and line and not line[0].isspace() and not line.startswith(")"):
            return
        yield line


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive."""
    app.add_directive("beside", Beside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
