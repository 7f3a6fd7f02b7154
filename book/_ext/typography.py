"""Sphinx extension: minus signs in place of hyphens before numbers, no line breaks in intervals.

Numbers reach the pages by `glue` and by tables, as Python formats them. Code keeps its hyphens.
"""

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

HYPHEN = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")
NO_PROSE = (
    nodes.literal,
    nodes.literal_block,
    nodes.doctest_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    addnodes.desc_signature,
)
INTERVAL = re.compile(r"(?<=\d) (?=\[[^\]]+\d\])|(?<=\d,) (?=[^\[\]]+\d\])")
CELL = re.compile(r"(?<=<t[dh])([^>]*>)([^<]+)")  # of a table in HTML


def with_minus(text: str) -> str:
    """Text with a minus sign for each hyphen that opens a number; `1e-8` and `2019-03` stay."""
    return HYPHEN.sub("\N{MINUS SIGN}", text)


def unbroken(text: str) -> str:
    """Text in which `1.5 [1.0, 2.0]` stays on one line."""
    return INTERVAL.sub("\N{NO-BREAK SPACE}", text)


class Numbers(SphinxPostTransform):
    """Minus signs everywhere, unbroken intervals in tables; runs after numbers are glued in."""

    default_priority = 900

    def run(self, **_: Any) -> None:
        """Replace the texts of one page that have such numbers."""
        for node in list(self.document.findall(nodes.Text)):
            if _within(node, NO_PROSE):
                continue
            text = with_minus(node)
            if _within(node, (nodes.entry,)):
                text = unbroken(text)
            if text != node:
                node.parent.replace(node, nodes.Text(text))
        for node in self.document.findall(nodes.raw):
            if "html" in node.get("format", ""):
                text = CELL.sub(lambda cell: cell[1] + unbroken(with_minus(cell[2])), node.astext())
                node.children = [nodes.Text(text)]


def _within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform."""
    app.add_post_transform(Numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
