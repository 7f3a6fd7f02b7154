"""The fragment of the switch map: what it holds, what it escapes, what it refuses."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from t2v.book.map_switch import Layout, map_switch
from t2v.errors import InputError
from tests.book.switch_page import GROUPS, NAMES, ONE_SPOT, distances, switch

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])


@pytest.fixture(scope="module")
def html() -> str:
    return switch().html


def test_fragment_loads_its_scripts_from_beside_it_and_nothing_else(html):
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", html)
    assert loaded == ["../_static/maps.css", "../_static/maps.js"]
    for name in ("maps.css", "maps.js"):
        text = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"//\w+\.|@import|\bimport\b|\bfetch\(|\beval\(|innerHTML", text)


def test_script_finds_what_the_fragment_holds(html):
    script = (STATIC / "maps.js").read_text()
    wanted = set(re.findall(r'part\("(\w+)"\)', script)) | {"live", "plane", "lines", "key"}
    assert wanted <= set(re.findall(r'class="(\w+)"', html))
    data = data_of(html)
    assert set(re.findall(r"\bdata\.(\w+)", script)) == set(data)
    assert set(re.findall(r"\b(?:map|each)\.(label|note|\w*s|same|near)\b", script)) <= {
        *data["maps"][0],
        "names",
    }


def test_names_are_text_and_open_or_close_no_tag(html):
    class Tags(HTMLParser):
        seen: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.seen.append(tag)

    Tags().feed(html)
    assert "b" not in Tags.seen and Tags.seen.count("script") == 2
    assert data_of(html)["names"] == NAMES
    of_groups = map_switch(["a", "b"], ["<i>", '"&'], [two("x"), two("y")]).html
    assert "<i>" not in of_groups and "&lt;i&gt;" in of_groups


def two(label: str) -> Layout:
    return Layout(label, np.eye(2), 1 - np.eye(2))


def test_nearest_tasks_are_those_of_the_matrix(html):
    for each, distance in zip(data_of(html)["maps"], distances(), strict=True):
        for i, near in enumerate(each["near"]):
            others = sorted(distance[i, j] for j in range(len(NAMES)) if j != i)
            assert i not in [j for j, _ in near]
            np.testing.assert_allclose([distance[i, j] for j, _ in near], others[:3])
            np.testing.assert_allclose([d for _, d in near], others[:3], atol=5e-5)  # 4 digits


def test_tasks_that_no_map_can_tell_apart_lie_on_one_spot(html):
    asked, shown = data_of(html)["maps"]
    assert {tuple(shown["points"][i]) for i in ONE_SPOT} == {tuple(shown["points"][5])}
    assert [shown["same"][i] for i in range(len(NAMES))] == [3 * (i in ONE_SPOT) for i in range(12)]
    assert len({tuple(p) for p in asked["points"]}) == len(NAMES) and not any(asked["same"])


def test_points_fill_the_square_with_the_first_axis_to_the_right_and_the_second_up():
    points = np.array([[0, 0], [3, 1], [1, 5]])
    layout = Layout("x", points, squareform_of(points))
    got = np.array(data_of(map_switch("abc", "abc", [layout, layout]).html)["maps"][0]["points"])
    assert got.min() == 0 and got.max() == 1
    assert (np.argsort(got[:, 0]) == [0, 2, 1]).all() and (np.argsort(got[:, 1]) == [2, 1, 0]).all()


def squareform_of(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_one_task_far_outside_leaves_the_others_room():
    points = np.random.default_rng(0).normal(size=(100, 2))
    points[0] = 1000
    layout = Layout("x", points, squareform_of(points))
    html = map_switch(["a"] * 100, ["g"] * 100, [layout, layout]).html
    rest = np.array(data_of(html)["maps"][0]["points"])[1:]
    assert (np.ptp(rest, axis=0) > 0.6).all()


def test_area_of_a_dot_grows_with_the_norm_between_bounds():
    norms = np.array([1.0] * 10 + [1.44, 1e6])
    sizes = data_of(switch(norms=norms).html)["sizes"]
    assert sizes == [1.0] * 10 + [1.2, 1.4]
    assert data_of(switch().html)["sizes"] == [1.0] * 12


def test_every_group_has_its_colour_and_its_marker(html):
    data = data_of(html)
    of_groups = {name: (colour, path) for name, colour, path in data["groups"]}
    assert [data["groups"][g][0] for g in data["group"]] == GROUPS
    assert (
        len(set(of_groups.values())) == len(set(GROUPS)) == len({p for _, p in of_groups.values()})
    )


def test_still_picture_has_both_maps_with_every_task(html):
    still = re.findall(r"<svg viewBox=\"0 -22.*?</svg>", html, re.DOTALL)
    assert len(still) == 2
    for picture, label in zip(still, ("by what is asked", "by what is shown"), strict=True):
        assert picture.count("<path") == len(NAMES)
        assert f'aria-label="{label}"' in picture
        assert ">birds</text>" in picture
        for x, y in re.findall(r"translate\(([\d.-]+) ([\d.-]+)\)", picture):
            assert 0 <= float(x) <= 340 and 0 <= float(y) <= 280


def test_without_images_credits_and_notes_there_is_a_map_of_plain_dots():
    data = data_of(switch(strips=None, credits=(), links=(), notes=()).html)
    assert data["sprite"] is None and not data["tiles"] and not data["credits"]


def test_credits_are_stored_once_with_their_links(html):
    data = data_of(html)
    assert data["credits"] == [
        ["Photographs by A & B (CC BY 4.0)", "https://example.org/set"],
        ["Drawn", ""],
    ]
    assert data["credit"] == [0] * 6 + [1] * 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"styles": {"birds": ("#000", "o")}}, "group 'colour': expected a colour"),
        ({"notes": ["one"]}, "notes: expected 12"),
        ({"norms": [1.0]}, "norms: expected 12"),
        ({"norms": [0.0] * 12}, "norms: expected finite, positive"),
        ({"links": ["javascript:alert(1)"] * 12}, "'javascript:alert"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        switch(**given)


def test_maps_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"map 'x': expected points \[3, 2\]"):
        map_switch("abc", "abc", [two("x"), two("y")])
    with pytest.raises(InputError, match="between two maps, got 1"):
        map_switch("ab", "ab", [two("x")])


def test_fragment_is_written_for_a_page_without_code(tmp_path, html):
    path = switch().write(tmp_path / "map.html")
    assert path.read_text(encoding="utf-8") == html == switch()._repr_html_()


def test_120_tasks_with_four_photographs_each_stay_small():
    images = np.random.default_rng(0).integers(0, 256, (480, 3, 8, 8), dtype=np.uint8)
    images = images.repeat(8, axis=2).repeat(8, axis=3)  # 64 px, coarse as photographs are
    points = np.random.default_rng(1).normal(size=(120, 2))
    layout = Layout("x", points, squareform_of(points))
    of_tasks = {i: [(f"class {j}", images[4 * i + j]) for j in range(4)] for i in range(120)}
    names = [f"a task with a name {i}" for i in range(120)]
    html = map_switch(names, names, [layout, layout], strips=of_tasks).html
    assert len(html) < 1_500_000
    assert len(html) - len(data_of(html)["sprite"]) < 150_000
