"""The directive `fragment`: what a chapter wrote, or the page's own content where none did."""

import pytest
from sphinx.application import Sphinx

PAGE = """# Page

````{fragment} results/map.html
```{image} still.png
:alt: A still picture.
```

*a caption*
````
"""


@pytest.mark.parametrize("written", [True, False])
def test_fragment_is_shown_where_it_was_written_else_the_content(tmp_path, written):
    (tmp_path / "results").mkdir()
    if written:
        (tmp_path / "results" / "map.html").write_text("<p id='map'>a < b & c</p>")
    (tmp_path / "still.png").write_bytes(b"")
    (tmp_path / "index.md").write_text(PAGE)
    app = Sphinx(
        tmp_path, None, tmp_path / "html", tmp_path / "trees", "html",
        {"extensions": ["myst_parser", "fragment"], "html_theme": "basic"},
        status=None, warningiserror=True,
    )  # fmt: skip
    app.build()
    page = (tmp_path / "html" / "index.html").read_text()
    assert ("<p id='map'>a < b & c</p>" in page) == written
    assert ("still.png" in page and "<em>a caption</em>" in page) != written
