"""What pages load, and what a keyboard and a screen reader find on them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from page_html import accessible

BOOK = Path(__file__).resolve().parents[2] / "book"
CONF = f"""
extensions = ["myst_parser", "sphinx.ext.mathjax", "sphinx_thebe", "page_html"]
myst_enable_extensions = ["dollarmath"]
html_theme = "sphinx_book_theme"
templates_path = [{str(BOOK / "_templates")!r}]
thebe_config = {{"repository_url": "https://github.com/some/body"}}
mathjax_path = "mathjax/tex-svg.js"
def setup(app):
    app.set_html_assets_policy("always")  # as Jupyter Book does
"""


def test_a_page_loads_only_what_it_needs(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text("# Words\n\nno formula\n")
    (tmp_path / "formula.md").write_text("---\norphan: true\n---\n# Formula\n\n$x^2$\n")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", "-b", "html", tmp_path, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": str(BOOK / "_ext")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, formula in (("index", False), ("formula", True)):
        page = (tmp_path / "out" / f"{name}.html").read_text()
        assert "thebe" not in page.lower()
        assert ("mathjax/tex-svg.js" in page) == formula
        scripts = re.findall(r'<script[^>]* src="([^"?]+)', page)
        assert any("bootstrap.js" in s for s in scripts)  # the theme's own are still there
        assert not any("fontawesome" in s for s in scripts)
        assert "fontawesome" in page  # its fonts


def test_tables_that_scroll_take_the_focus_and_folds_keep_their_labels():
    box = '<div class="pst-scrollable-table-container">'
    table = '<table class="table"><caption><span>Table 1</span> Errors &lt; 5%.</caption></table>'
    body = f"{box}{table}</div>{box}<table></table></div>"
    body += '<details><summary aria-label="Toggle hidden content"><p>Show the code</p></summary>'
    found = accessible(body)
    assert found.count('tabindex="0" role="region"') == 2
    labels = re.findall(r'role="region" aria-label="([^"]+)"', found)
    assert labels == ["Table 1 Errors &lt; 5%.", "A table"]
    assert "<summary><p>Show the code</p></summary>" in found
    assert found.count(table) == 1
