"""The directive `fragment`: what a chapter wrote, or the page's own content where none did."""

import os
import subprocess
import sys
from pathlib import Path

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
PAGE = """# Page

````{fragment} NAME
```{image} still.png
:alt: A still picture.
```

*a caption*
````
"""


def test_fragment_is_shown_where_it_was_written_else_the_content(tmp_path):
    (tmp_path / "map.html").write_text("<p id='map'>a < b & c</p>")
    (tmp_path / "still.png").write_bytes(b"")
    (tmp_path / "index.md").write_text(PAGE.replace("NAME", "map.html"))
    (tmp_path / "other.md").write_text(
        "---\norphan: true\n---\n" + PAGE.replace("NAME", "none/map.html")
    )
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'fragment']\n")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", "-b", "html", tmp_path, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": str(EXTENSIONS)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, written in (("index", True), ("other", False)):
        page = (tmp_path / "out" / f"{name}.html").read_text()
        assert ("<p id='map'>a < b & c</p>" in page) == written
        assert ("still.png" in page and "<em>a caption</em>" in page) != written
