"""A page that has moved: its old address leads to the new one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"


@pytest.mark.parametrize("new, works", [("new/there", True), ("new/nowhere", False)])
def test_an_old_address_leads_to_the_page(tmp_path, new, works):
    (tmp_path / "conf.py").write_text(
        f"extensions = ['myst_parser', 'redirects']\nredirects = {{'old/here': {new!r}}}\n"
    )
    (tmp_path / "index.md").write_text("# Page\n\n```{toctree}\nnew/there\n```\n")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "there.md").write_text("# There\n")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", "-b", "html", tmp_path, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": str(EXTENSIONS)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) == works, done.stderr
    if not works:
        assert "redirects: old/here -> new/nowhere" in done.stderr
        return
    page = (tmp_path / "out" / "old" / "here.html").read_text()
    assert 'url=../new/there.html"' in page
    assert (tmp_path / "out" / "old" / "../new/there.html").exists()
