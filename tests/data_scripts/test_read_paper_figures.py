"""Reading the paper's figures: the geometry alone, and all of it where a PDF is given.

T2V_PAPER_PDF=1902.03545v1.pdf pytest tests/data_scripts/test_read_paper_figures.py
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from data_scripts.paper import pdf as paper_pdf
from data_scripts.paper import read_figures as read_paper_figures
from data_scripts.paper.read_figures import ABOUT, KEPT, differences
from t2v.book import tables
from t2v.errors import FileError

PDF = os.environ.get("T2V_PAPER_PDF")


def test_scale_runs_through_first_and_last_grid_line():
    per_cent = paper_pdf.scale([183.6, 171.2, 109.2], [0, 10, 60])
    assert per_cent(183.6) == 0 and per_cent(109.2) == pytest.approx(60)
    assert per_cent([146.4]).tolist() == pytest.approx([30])


def test_clusters_are_means_of_close_places():
    places = paper_pdf.clusters([10.2, 50.0, 10.0, 49.9, 30.0])
    assert places.tolist() == pytest.approx([10.1, 30.0, 49.95])


def test_colours_are_inverted_through_viridis():
    from matplotlib import colormaps

    for index in (0, 1, 77, 255):
        drawn = np.round(255 * np.array(colormaps["viridis"](index)[:3]))
        assert paper_pdf.viridis_index(drawn) == index
    with pytest.raises(FileError, match="viridis"):
        paper_pdf.viridis_index(np.array([255, 0, 0]))


def test_a_changed_number_or_name_is_told():
    kept = pd.DataFrame({"task": ["a", None], "error": [1.0, np.nan]})
    assert differences(kept.copy(), kept) == []
    assert differences(kept.assign(error=[1.001, np.nan]), kept) == [
        "column 'error': 1 of 2 differ"
    ]
    assert differences(kept.assign(task=["b", None]), kept) == ["column 'task': 1 of 2 differ"]
    assert "shape" in differences(kept[:1], kept)[0]


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.csv")), ids=lambda p: p.stem)
def test_kept_tables_are_those_of_their_sidecars(path):
    note = tables.read(path).attrs["provenance"]
    if path.stem in ABOUT:  # the others were typed from the paper's tables
        about = ABOUT[path.stem]
        assert (note["source"], note["limits"]) == (about["source"], about["limits"])
        assert note["inputs"][0]["sha256"] == read_paper_figures.SHA256
    assert "/" not in note["command"]


def test_a_missing_pdf_is_one_line(capsys):
    assert read_paper_figures.main(["nowhere.pdf"]) == 2
    assert "nowhere.pdf: not found" in capsys.readouterr().err


@pytest.mark.skipif(not PDF, reason="needs your copy of the PDF: T2V_PAPER_PDF=...")
def test_the_pdf_gives_the_kept_tables(tmp_path, capsys):
    assert read_paper_figures.main([PDF, "--write", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.count("agrees") == 9
    for name in ABOUT:
        assert (tmp_path / f"{name}.csv").read_bytes() == (KEPT / f"{name}.csv").read_bytes()


@pytest.mark.skipif(not PDF, reason="needs your copy of the PDF: T2V_PAPER_PDF=...")
def test_another_document_is_refused(tmp_path, capsys):
    import pymupdf

    other = pymupdf.open()
    other.new_page()
    other.save(tmp_path / "other.pdf")
    assert read_paper_figures.main([str(tmp_path / "other.pdf")]) == 2
    assert "not the 15 pages" in capsys.readouterr().err
