"""Minus signs and whole intervals in prose and tables, and nowhere else."""

import pytest
from docutils import nodes
from docutils.utils import new_document
from typography import Numbers, unbroken, with_minus


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-4.6 [-12.7, +2.8]", "−4.6 [−12.7, +2.8]"),
        ("(-.3 to .2)", "(−.3 to .2)"),
        ("about -7%", "about −7%"),
        ("1e-8 on 2019-03 in 5-10 and resnet-18, --scale -n", None),
    ],
)
def test_only_a_hyphen_that_opens_a_number_becomes_a_minus(text, shown):
    assert with_minus(text) == (shown or text)


@pytest.mark.parametrize(
    ("text", "spaces"),
    [
        ("9.8 [8.0, 11.9]", 0),
        ("+3 [−2.4, +9], then 5, 6 and [a, b]", 6),
        ("see [1] for 2, 3", 4),
    ],
)
def test_a_line_does_not_break_within_an_interval(text, spaces):
    assert unbroken(text).count(" ") == spaces
    assert unbroken(text).replace("\N{NO-BREAK SPACE}", " ") == text


def test_minus_signs_reach_prose_and_tables_but_no_code():
    table = "<table class='c-1'><td>-2</td><td>1e-3</td></table>"
    page = new_document("page")
    page += nodes.paragraph("", "", nodes.Text("it is -1 and "), nodes.literal("", "-1"))
    page += nodes.raw("", table, format="html", classes=["output"])
    page += nodes.raw("", "<style>p {margin:-1px}</style><p>a > -1<br></p>", format="html")
    row = nodes.row("", nodes.entry("", nodes.paragraph("", "2.5 [-1.0, 4.0]")))
    page += nodes.table("", nodes.tgroup("", nodes.tbody("", row), cols=1))
    Numbers(page).run()
    assert page[3].astext() == "2.5\N{NO-BREAK SPACE}[−1.0,\N{NO-BREAK SPACE}4.0]"
    assert page[0].astext() == "it is −1 and -1"
    assert page[1].astext() == table.replace("<td>-2", "<td>−2")
    assert page[1]["classes"] == ["output"]  # by which the page finds its tables
    assert "−" not in page[2].astext()
