"""Sphinx extension: a page that has moved leaves a page behind that leads to its new place.

`redirects` in the configuration has old and new names of pages, without suffix.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Moved</title>
<meta http-equiv="refresh" content="0; url={there}">
<link rel="canonical" href="{there}">
<meta name="robots" content="noindex">
</head>
<body><p>This page has moved <a href="{there}">to its new place</a>.</p>
<script>location.replace("{there}" + location.hash);</script></body>
</html>
"""


def write_redirects(app: Sphinx, error: Exception | None) -> None:
    """Write a page for each old name.

    Raises:
        ExtensionError: if a new name is no page, or an old one still is.
    """
    if error or app.builder.format != "html":
        return
    pages = app.env.found_docs
    for old, new in app.config.redirects.items():
        if new not in pages or old in pages:
            raise ExtensionError(f"redirects: {old} -> {new}: from a page that is gone to one here")
        place = Path(app.outdir) / f"{old}.html"
        there = os.path.relpath(f"{new}.html", Path(old).parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(PAGE.format(there=escape(there)), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the setting, and write the pages at the end."""
    app.add_config_value("redirects", {}, "html", [dict])
    app.connect("build-finished", write_redirects)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
