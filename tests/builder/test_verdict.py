"""Words that follow a table, sentences that the build refuses, and the banner of other runs."""

import io

import pandas as pd
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from t2v.book import tables

PUBLISHED = {"library": "synthetic", "scale": "laptop", "seed": 0}
ROLE = "We say {verdict}`worlds:norm|it *follows*, {interval}|it does not|we cannot tell|no table`."


@pytest.fixture
def build(tmp_path):
    """A function that builds a page, and a chapter of the same text: its warnings and HTML."""

    def build(text, correlations=None, page="book/page", run=PUBLISHED):
        source = tmp_path / "source"
        path = source / f"{page}.md"
        path.parent.mkdir(parents=True)
        path.write_text(f"# Title\n\n{text}\n")
        (source / "conf.py").write_text(
            "extensions = ['myst_parser', 'verdict']\nmyst_enable_extensions = ['colon_fence']\n"
            f"root_doc = {page!r}\nhtml_theme = 'basic'\n"
            f"book_published = {PUBLISHED}\nbook_run = {run}\n"
        )
        if correlations is not None:
            claim = {"claim": "phylogeny_norm_error", "level": 0.6, "prior": 0.3}
            rows = [{"seed": s, "value": v, **claim} for s, v in enumerate(correlations)]
            frame = pd.DataFrame(rows)
            tables.write(
                frame,
                source / "book/results/synthetic-laptop/claims.csv",
                columns={c: {"unit": "", "meaning": "made for a test"} for c in frame},
                limits="made for a test",
            )
        said = io.StringIO()
        with patch_docutils(), docutils_namespace():
            strict = {"warningiserror": True, "keep_going": True}
            folders = source, source, tmp_path / "out", tmp_path / "trees"
            app = Sphinx(*folders, "html", status=None, warning=said, **strict)
            app.build()
        html = (tmp_path / "out" / f"{page}.html").read_text()
        return app.statuscode, said.getvalue(), html

    return build


@pytest.mark.parametrize(
    ("correlations", "words"),
    [
        ([0.5, 0.6, 0.7], "We say it <em>follows</em>, +0.60 [+0.35, +0.85]."),
        ([-0.5, -0.6, -0.7], "We say it does not."),
        ([-0.5, 0.6, 0.2], "We say we cannot tell."),
        ([0.5], "We say no table."),
        (None, "We say no table."),
    ],
)
def test_the_words_are_those_of_the_table(build, correlations, words):
    status, said, html = build(ROLE, correlations)
    assert (status, said) == (0, "") and words in html


def test_without_a_text_for_it_a_missing_table_is_not_run_yet(build):
    assert "So not run yet." in build("So {verdict}`worlds:norm|yes|no|perhaps`.")[2]


GUARDS = {
    "role": "A. {guard}`worlds:norm holds|The norm follows *difficulty*.` B.",
    "directive": ":::{guard} worlds:norm holds\nThe norm follows *difficulty*.\n:::",
}


@pytest.mark.parametrize("text", GUARDS.values(), ids=GUARDS)
def test_a_guarded_sentence_stands_while_its_table_bears_it_out(build, text):
    status, said, html = build(text, [0.5, 0.6, 0.7])
    assert (status, said) == (0, "") and "The norm follows <em>difficulty</em>." in html


@pytest.mark.parametrize("text", GUARDS.values(), ids=GUARDS)
@pytest.mark.parametrize(
    ("correlations", "reason"),
    [([-0.5, 0.6, 0.2], "cannot be told, +0.10 [−1.28, +1.48]"), (None, "not run yet, no table")],
)
def test_the_build_fails_once_it_does_not(build, text, correlations, reason):
    status, said, _ = build(text, correlations)
    assert status == 1 and "ERROR" in said
    for part in ("page.md", "book/page", "worlds:norm", "holds", reason):
        assert part in said


def test_several_conditions_each_count(build):
    text = "{guard}`worlds:norm holds, worlds:norm open|Both.`"
    status, said, _ = build(text, [0.5, 0.6, 0.7])
    assert status == 1 and said.count("ERROR") == 1 and "cannot be told" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{guard}`worlds:norms holds|A.`", "claim 'norms': one of"),
        ("{guard}`world:norm holds|A.`", "source 'world': one of"),
        ("{guard}`worlds:norm true|A.`", "is not 'source:claim holds'"),
        ("{verdict}`worlds:norms|a|b|c`", "claim 'norms': one of"),
        ("{verdict}`worlds:norm|a|b`", "has not three or four texts"),
    ],
)
def test_a_slip_in_a_name_is_an_error_of_the_build(build, text, reason):
    status, said, _ = build(text, [0.5, 0.6, 0.7])
    assert status == 1 and reason in said


def test_other_runs_have_a_banner_and_guards_that_do_not_fail(build):
    run = {"library": "synthetic", "scale": "smoke", "seed": 3}
    status, said, html = build(GUARDS["role"], [-0.5, 0.6], page="notebooks/01_a", run=run)
    assert (status, said) == (0, "") and "The norm follows" in html
    banner = ("This build uses scale smoke, seed 3; the prose speaks of the published run "
              "(laptop, seed 0).")  # fmt: skip
    assert html.count(banner) == 1
    assert html.index("<h1>Title") < html.index(banner) < html.index("The norm follows")


@pytest.mark.parametrize(
    ("page", "run"),
    [
        ("notebooks/01_a", PUBLISHED),
        ("book/page", {**PUBLISHED, "scale": "smoke"}),
        ("notebooks/01_a", {}),
    ],
)
def test_no_banner_in_the_published_run_nor_on_pages_without_code(build, page, run):
    assert "This build uses" not in build("Text.", page=page, run=run)[2]


def test_the_banner_names_the_library_where_it_is_another(build):
    run = {"library": "real", "scale": "laptop", "seed": 0}
    html = build("Text.", page="notebooks/01_a", run=run)[2]
    assert (
        "This build uses library real, scale laptop, seed 0; the prose speaks of the published "
        "run (laptop, library synthetic, seed 0)."
    ) in html
