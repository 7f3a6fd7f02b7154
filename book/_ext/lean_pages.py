"""Sphinx extension: no page loads a script that it does not need.

Jupyter Book adds Thebe to every page, which is not used here and names another host, and MathJax
also to pages without a formula.
"""

from typing import Any

from sphinx.application import Sphinx


def drop_thebe(app: Sphinx) -> None:
    """Disconnect what Thebe would add to pages, before it is called."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def drop_idle_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Take Thebe's style sheet from all pages, and MathJax from those without a formula."""
    idle = ["sphinx-thebe"]
    if 'class="math' not in context.get("body", ""):
        idle.append("mathjax")
    for kind in ("css_files", "script_files"):
        files = context.get(kind, [])
        # the theme and other extensions hold on to this list
        files[:] = [file for file in files if not any(name in str(file) for name in idle)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both."""
    app.connect("builder-inited", drop_thebe, priority=1)
    app.connect("html-page-context", drop_idle_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
