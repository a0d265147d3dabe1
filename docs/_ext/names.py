"""The public names of fastdl: each has an entry, and what mentions it a link to it.

Each of ``public_modules`` in conf.py gets a page. What Sphinx does not find by its
name, as ``Trainer`` in a module that only imports it, is looked up by importing; so a
name that does not exist at all stays a warning, and a private one plain text.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import itertools
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

KINDS = {"Classes": "autoclass", "Functions": "autofunction", "Constants": "py:data"}


@functools.cache
def public(module: str) -> dict[str, Any]:
    """Return the names that a module exports, each with its value."""
    names = importlib.import_module(module)
    exported = getattr(names, "__all__", None) or [
        name
        for name, value in vars(names).items()
        if name[0] != "_" and getattr(value, "__module__", "") == module
    ]
    return {name: getattr(names, name) for name in sorted(exported, key=str.lower)}


def canonical(value: object) -> str:
    """Return the name by which Sphinx knows a class or function wherever it is."""
    named = inspect.isclass(value) or inspect.isroutine(value)
    return f"{value.__module__}.{value.__qualname__}" if named else ""


def kind(value: object) -> str:
    """Return the heading under which a name stands."""
    if isinstance(value, ModuleType):
        return "Modules"
    if inspect.isclass(value):
        return "Classes"
    return "Functions" if inspect.isroutine(value) else "Constants"


def page(module: str, known: set[str], elsewhere: set[str]) -> str:
    """Return the page of a module.

    The members of bases that are `known` are not repeated; names that are described
    `elsewhere` are listed only.
    """
    title = f"``{module}``"
    lines = [title, "=" * len(title), "", f".. automodule:: {module}", ""]
    names = public(module)
    for each in ("Modules", *KINDS):
        members = [name for name, value in names.items() if kind(value) == each]
        if members:
            lines += [f".. rubric:: {each}", ""]
            lines += [
                f"- `~{module}.{name}`: {summary(module, name)}" for name in members
            ]
            lines += [""]
    for each, directive in KINDS.items():
        own = {
            name: value
            for name, value in names.items()
            if kind(value) == each and canonical(value) not in elsewhere
        }
        if own:
            lines += [each, "-" * len(each), ""]
        for name, value in own.items():
            # autodoc wants the whole name, Sphinx itself puts the module before it
            shown = name if each == "Constants" else f"{module}.{name}"
            lines += [f".. {directive}:: {shown}"]
            if each == "Classes":
                bases = ", ".join(described(value, known))
                lines += ["   :members:", f"   :inherited-members: {bases}"]
                lines += [f"   :exclude-members: {', '.join(foreign(value))}"]
            elif each == "Constants":
                lines += ["", *(f"   {line}" for line in constant(module, name))]
            lines += [""]
    return "\n".join(lines)


def summary(module: str, name: str) -> str:
    """Return the first sentence about a name, without the full stop."""
    value = public(module)[name]
    is_constant = kind(value) == "Constants"
    text = constant(module, name) if is_constant else inspect.getdoc(value).splitlines()
    paragraph = itertools.takewhile(str.strip, text)
    return " ".join(paragraph).partition(". ")[0].rstrip(".:")


def described(cls: type, known: set[str]) -> Iterator[str]:
    """Yield the bases of a class that are described elsewhere: public, or not ours."""
    for base in cls.__mro__[1:]:
        ours = base.__module__.startswith("fastdl") and canonical(base) not in known
        if not ours and not getattr(base, "_is_protocol", False):  # autodoc cannot ask
            yield base.__name__


def foreign(cls: type) -> Iterator[str]:
    """Yield the methods that another library writes into a class."""
    for name in vars(cls):
        home = getattr(getattr(cls, name, None), "__module__", None) or "fastdl"
        if not home.startswith("fastdl"):
            yield name


def constant(module: str, name: str) -> list[str]:
    """Return the docstring of a constant; it stands behind it, where it is defined."""
    source = Path(importlib.import_module(module).__file__).read_text(encoding="utf-8")
    homes = [
        node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and name in {n.name for n in node.names}
    ]
    found = ModuleAnalyzer.for_module(homes[0] if homes else module).find_attr_docs()
    return found.get(("", name), [])


def write_pages(app: Sphinx) -> None:
    """Write the page of each module, and the list of them."""
    folder = Path(app.srcdir, "api", "generated")
    folder.mkdir(parents=True, exist_ok=True)
    modules = app.config.public_modules
    homes = {m: {canonical(value) for value in public(m).values()} for m in modules}
    known = set().union(*homes.values())
    elsewhere = set().union(*(names for m, names in homes.items() if m != "fastdl"))
    for module in modules:
        text = page(module, known, elsewhere if module == "fastdl" else set())
        write(folder / f"{module}.rst", text)
    rows = [f"| {{py:mod}}`{m}` | {what} |\n" for m, what in modules.items()]
    write(folder / "modules.inc", f"| module | |\n|---|---|\n{''.join(rows)}")


def write(file: Path, text: str) -> None:
    """Write a file, unless it is the same already: a new one is read again."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def find(target: str, places: list[str]) -> Any:
    """Return what a name means in the first of some modules and classes, or None."""
    for place in [*places, ""]:
        path = f"{place}.{target}".strip(".").split(".")
        for end in range(len(path), 0, -1):
            try:
                module = importlib.import_module(".".join(path[:end]))
                return (
                    attrgetter(".".join(path[end:]))(module) if path[end:] else module
                )
            except Exception:  # whatever a module raises at import
                continue
    return getattr(builtins, target, None)


def entries(value: object, modules: Iterable[str]) -> Iterator[str]:
    """Yield the names under which a value may have its entry."""
    if isinstance(value, ModuleType):
        yield value.__name__
        return
    yield canonical(value)
    for module in modules:
        for name, each in public(module).items():
            if each is value:
                yield f"{module}.{name}"


def look_up(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.Node | None:
    """Find what Sphinx does not: names that a module imports, and private ones."""
    if node["refdomain"] != "py":
        return None
    target = node["reftarget"]
    module, cls = node.get("py:module"), node.get("py:class")
    places = [p for p in (module and cls and f"{module}.{cls}", module, "fastdl") if p]
    value = find(target, places)
    if value is not None:
        for name in entries(value, app.config.public_modules):
            known = env.domains.python_domain.objects.get(name)
            if known:
                return make_refnode(
                    app.builder,
                    node["refdoc"],
                    known.docname,
                    known.node_id,
                    text,
                    name,
                )
        return text
    # An argument or a word: only what looks like a name of ours must be one.
    return None if "." in target else text


def unlink_words(app: Sphinx, document: nodes.document) -> None:
    """Keep the words of a type, as in "array x or callable", from being names."""
    for node in document.findall(pending_xref):
        word = node.get("reftarget", "")
        if node.get("reftype") == "class" and word.isidentifier() and word.islower():
            node.replace_self(nodes.Text(word))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the pages before Sphinx looks for them."""
    app.add_config_value("public_modules", {}, "env")
    app.connect("builder-inited", write_pages)
    app.connect("doctree-read", unlink_words)
    app.connect("missing-reference", look_up)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
