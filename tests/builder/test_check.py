"""The checks on built HTML: one fault each, and what is no fault."""

import pytest
from builder.check import faults

GOOD = '<img src="_images/map.png" alt="A map of tasks on which birds sit beside birds.">'


@pytest.mark.parametrize(
    "body, fault",
    [
        (GOOD, None),
        ('<a href="https://arxiv.org/abs/1902.03545">a link is not loaded</a>', None),
        ('<link rel="canonical" href="https://example.org/book/">', None),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "loads //fonts"),
        ('<script src="_static/gone.js"></script>', "does not exist"),
        ('<img src="_images/map.png" alt="">', "no sentence"),
        ('<img src="_images/map.png" alt="fig_map">', "no sentence"),
        ("<p>```{csv-table} Seconds in <code>notebooks</code></p>", "source of a directive"),
    ],
)
def test_pages_that_need_a_network_or_eyes_are_found(tmp_path, body, fault):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "map.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(f"<html><body>{body}</body></html>")
    found = faults(tmp_path)
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0]), found
