"""A small project for the builder."""

import pytest
import yaml
from builder import chapters
from builder.chapters import Run

from tests.builder.small_book import RAN, write_chapter


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A project of two chapters and a module; chapters are run by writing one table each."""
    for folder in ("notebooks", "book/_static", "t2v"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "t2v" / "core.py").write_text("x = 1\n")
    (tmp_path / "book" / "index.md").write_text("# A book\n")
    (tmp_path / "_config.yml").write_text("title: A book\nhtml: {favicon: f.svg}\n")
    toc = {"root": "book/index", "parts": [{"chapters": [{"file": "notebooks/01_a"}]}]}
    toc["parts"].append({"chapters": [{"file": "notebooks/02_b"}]})
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    for name in ("01_a", "02_b"):
        write_chapter(tmp_path, name, "1")
    RAN.clear()

    def run_chapter(run, path):
        RAN.append(path.stem)
        chapters.write_whole(run.out / "results" / f"{path.stem}.csv", "a\n1\n")
        chapters.write_whole(run.out / "notebooks" / path.name, path.read_text())

    monkeypatch.setattr(chapters, "run_chapter", run_chapter)
    for name in ("T2V_REPOSITORY", "T2V_BRANCH", "GITHUB_REPOSITORY", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    return Run("synthetic", "smoke", root=tmp_path)
