"""Sphinx extension: the directive `fragment`, for HTML that a chapter wrote.

Its argument is the file, seen from the page. Where no chapter wrote it, as in a build of a few
chapters, and in formats other than HTML, the page shows the directive's content.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Fragment(SphinxDirective):
    """The fragment as it is, or the content where there is none."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Read the file if it is there, else parse the content."""
        _, name = self.env.relfn2path(self.arguments[0])
        path = Path(name)
        self.env.note_dependency(name)
        if path.exists() and self.env.app.builder.format == "html":
            return [nodes.raw("", path.read_text(encoding="utf-8"), format="html")]
        still = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, still)
        return still.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("fragment", Fragment)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
