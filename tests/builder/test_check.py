"""The checks on built HTML: one fault each, and what is no fault."""

import random

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


def test_pages_that_load_too_much_besides_images_are_found(tmp_path):
    noise = random.Random(0).randbytes(1_600_000)  # does not compress
    (tmp_path / "map.png").write_bytes(noise)
    (tmp_path / "code.js").write_bytes(noise[:1_400_000])
    body = '<img src="map.png"><script src="code.js?v=1"></script>'
    (tmp_path / "index.html").write_text(body)
    assert faults(tmp_path) == []
    (tmp_path / "more.css").write_bytes(noise[:200_000])
    (tmp_path / "index.html").write_text(f'{body}<link rel="stylesheet" href="more.css">')
    assert faults(tmp_path) == ["index.html loads 1.60 MB besides its images"]
