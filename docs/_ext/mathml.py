"""Equations as MathML, which browsers draw themselves: no script and no network."""

from __future__ import annotations

from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

_XMLNS = ' xmlns="http://www.w3.org/1998/Math/MathML"'  # HTML needs none
_ACCENT = {"stretchy", "accent"}  # one of them says that an mo is an accent


def mathml(node: nodes.Element, tex: str, as_block: bool = False) -> str:
    """Return an equation as MathML; one that is not understood is a warning."""
    try:
        return indices_beside(tex2mathml(tex, as_block=as_block))
    except MathError as error:
        logger.warning("%s in %s", error, tex, location=node)
        return ""


def indices_beside(equation: str) -> str:
    r"""Set the index of an accented letter, ``\hat y_i``, beside it.

    docutils sets it below, as the limits of a sum: munderover(y, i, hat) becomes
    msub(mover(y, hat), i).
    """
    xml = equation.replace(_XMLNS, "", 1).replace("&ApplyFunction;", "\u2061")
    tree = ElementTree.fromstring(xml)
    for each in tree.iter("munderover"):
        letter, index, over = each
        if _ACCENT.isdisjoint(over.keys()):
            continue
        accented = ElementTree.Element("mover", accent="true")
        accented.extend([letter, over])
        each.tag = "msub"
        each[:] = accented, index
    return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(mathml(node, node.astext()))
    raise nodes.SkipNode


def display(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation of its own lines; a wide one scrolls."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    for equation in node.astext().strip().split("\n\n"):
        self.body.append(mathml(node, equation, as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Let ``html_math_renderer = "mathml"`` choose this."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
