"""Sphinx extension: the last touches to the HTML of a page.

No page loads a script that it does not need: Jupyter Book adds Thebe to every page, which is not
used here and names another host, and MathJax also to pages without a formula. A table that scrolls
can be reached by keyboard, and a fold is read aloud by its own label.
"""

import re
from typing import Any

from sphinx.application import Sphinx

SCROLLS = re.compile(
    r'<div class="pst-scrollable-table-container">(?=<table[^>]*>(?:\s*<caption>(.*?)</caption>)?)',
    re.DOTALL,
)
FOLD = re.compile(r'(<summary\b[^>]*?) aria-label="Toggle hidden content"')


def drop_thebe(app: Sphinx) -> None:
    """Disconnect what Thebe would add to pages, before it is called."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def drop_idle_scripts(context: dict[str, Any]) -> None:
    """Take Thebe's style sheet from all pages, and MathJax from those without a formula."""
    idle = ["sphinx-thebe"]
    if 'class="math' not in context.get("body", ""):
        idle.append("mathjax")
    for kind in ("css_files", "script_files"):
        files = context.get(kind, [])
        # the theme and other extensions hold on to this list
        files[:] = [file for file in files if not any(name in str(file) for name in idle)]


def accessible(body: str) -> str:
    """The body of a page, its scrolling tables open to the keyboard, its folds to be read aloud."""
    return FOLD.sub(r"\1", SCROLLS.sub(_region, body))


def _region(match: re.Match[str]) -> str:
    # a caption is HTML, so only a quotation mark is not yet escaped
    label = re.sub(r"<[^>]+>", "", match[1] or "A table").strip().rstrip("#")
    label = label.replace('"', "&quot;")
    box = '<div class="pst-scrollable-table-container" tabindex="0" role="region"'
    return f'{box} aria-label="{label}">'


def finish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Touch up one page."""
    drop_idle_scripts(context)
    if "body" in context:
        context["body"] = accessible(context["body"])
    if page == app.config.root_doc:
        context["docstitle"] = None  # its title is that of the book, and would stand there twice


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both."""
    app.connect("builder-inited", drop_thebe, priority=1)
    app.connect("html-page-context", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
