"""The switch map as a reader meets it: by mouse, by finger, by keyboard, on paper.

Needs Playwright (the extra `browser`) and a Chromium, the system's or `playwright install
chromium`; without them the tests are skipped.
"""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.book.switch_page import GROUPS, NAMES, switch

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.browser

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Maps</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<body style="margin: 8px"><h1>Before</h1>{maps}<p id="after" style="height: 1200px">After</p>"""
BY_GROUP = sorted(range(len(NAMES)), key=lambda i: list(dict.fromkeys(GROUPS)).index(GROUPS[i]))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Address of a page with two maps, with images and without."""
    root = tmp_path_factory.mktemp("site")
    (root / "_static").mkdir()
    for name in ("maps.js", "maps.css"):
        shutil.copy(STATIC / name, root / "_static")
    (root / "book").mkdir()
    maps = switch().html + switch(strips=None, norms=range(1, 13)).html
    (root / "book" / "page.html").write_text(PAGE.format(maps=maps), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/book/page.html"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        own = started.chromium.executable_path
        found = own if Path(own).exists() else shutil.which("chromium") or shutil.which("chrome")
        if not found:
            pytest.skip("no Chromium is installed")
        # the sandbox of Chromium does not start for root
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, address):
    """A function that opens the page; no script may fail, and nothing may leave this machine."""
    problems, contexts = [], []

    def opened(width=800, **options):
        context = chromium.new_context(viewport={"width": width, "height": 740}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        own = (address.removesuffix("/book/page.html"), "data:", "blob:" + address[:20])
        page.on("request", lambda r: r.url.startswith(own) or problems.append(r.url))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems


def dot(page, i):
    return page.locator(".t2v-map").first.locator(f'.dot[data-task="{i}"]')


def card(page) -> str:
    return page.locator(".told").first.inner_text()


def boxes(page, what):
    """Left, top, right and bottom of all elements of the first map, in pixels."""
    return page.locator(".t2v-map").first.evaluate(
        """(map, what) => [...map.querySelectorAll(what)].map((element) => {
            const box = element.getBoundingClientRect();
            return [box.left, box.top, box.right, box.bottom];
        })""",
        what,
    )


def centres(page):
    of_dots = boxes(page, ".dot")  # on the page they stand by group
    places = [(round(a + c) / 2, round(b + d) / 2) for a, b, c, d in of_dots]
    return [places[BY_GROUP.index(i)] for i in range(len(NAMES))]


def pinned(page):
    return (
        page.locator(".t2v-map")
        .first.locator('.dot[aria-pressed="true"]')
        .evaluate_all("dots => dots.map((dot) => Number(dot.dataset.task))")
    )


def test_switch_moves_the_tasks_that_share_their_images_onto_one_spot(open_page):
    page = open_page(reduced_motion="reduce")
    asked, shown = page.locator(".switch button").all()[:2]
    assert asked.get_attribute("aria-pressed") == "true"
    before = centres(page)
    assert len(set(before)) == len(NAMES)
    assert "first note" in page.locator(".note").first.inner_text()
    shown.click()
    assert shown.get_attribute("aria-pressed") == "true"
    assert asked.get_attribute("aria-pressed") == "false"
    assert "second note" in page.locator(".note").first.inner_text()
    after = centres(page)
    assert len(set(after[5:9])) == 1 and len(set(after)) == len(NAMES) - 3
    assert "colour × 4" in page.locator(".area:not(.hidden)").all_inner_texts()
    asked.click()
    assert centres(page) == before


@pytest.mark.parametrize("motion, glides", [("no-preference", True), ("reduce", False)])
def test_tasks_glide_unless_the_reader_wants_no_motion(open_page, motion, glides):
    page = open_page(reduced_motion=motion)
    page.locator(".switch button").nth(1).click(trial=True)  # waits until it can be pressed
    running = page.evaluate(
        """() => {
            document.querySelectorAll(".switch button")[1].click();
            const plane = document.querySelector(".plane");
            plane.getBoundingClientRect();  // from here on the dots move
            return plane.getAnimations({ subtree: true }).length;
        }"""
    )
    assert (running > len(NAMES)) == glides
    assert glides or running == 0


def test_mouse_shows_a_task_and_a_click_pins_it(open_page):
    page = open_page()
    dot(page, 1).hover()
    text = card(page)
    assert NAMES[1] in text and "birds: 1 classes" in text
    assert "Nearest by what is asked" in text and "Nearest by what is shown" in text
    assert page.locator(".lines").first.locator("line").count() == 3
    link = page.locator(".told a").first
    assert link.get_attribute("href") == "https://example.org/set"
    dot(page, 10).hover()
    assert NAMES[10] in card(page)
    dot(page, 10).click()
    assert pinned(page) == [10]
    dot(page, 1).hover()
    assert NAMES[10] in card(page)  # the pin holds
    dot(page, 10).click()
    assert pinned(page) == [] and "12 tasks" in card(page)


def test_tasks_on_one_spot_name_no_three_of_them_as_the_nearest(open_page):
    page = open_page()
    dot(page, 6).click()
    assert "Nearest by what is shown: 3 others, all on the same spot." in card(page)


def test_keyboard_alone_walks_pins_switches_and_releases(open_page):
    page = open_page()
    page.locator("input").first.focus()
    page.keyboard.press("Tab")
    seen = []
    for _ in range(3):
        seen.append(page.evaluate("Number(document.activeElement.dataset.task)"))
        page.keyboard.press("ArrowRight")
    assert seen == BY_GROUP[:3]
    page.keyboard.press("End")
    assert NAMES[BY_GROUP[-1]] in card(page)
    page.keyboard.press("ArrowDown")  # around
    page.keyboard.press("ArrowUp")
    for key in ("Enter", "Space"):
        page.keyboard.press(key)
        assert pinned(page) == [BY_GROUP[-1]]
        page.keyboard.press("Escape")
        assert pinned(page) == []
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")  # over the search to the switch
    page.keyboard.press("Enter")
    assert page.locator(".switch button").nth(1).get_attribute("aria-pressed") == "true"
    assert pinned(page) == [BY_GROUP[-1]]


def test_search_finds_by_name_and_group_and_pins_by_keyboard(open_page):
    page = open_page()
    search = page.locator("input").first
    search.fill("COLOUR")
    assert "Found 4" in card(page)
    assert page.locator(".t2v-map").first.locator(".dot.on").count() == 4
    search.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.task") == "5"
    search.fill("beasts 10")
    search.press("Enter")
    assert pinned(page) == [10]
    search.press("Escape")
    assert search.input_value() == "" and pinned(page) == []
    search.fill("nothing like it")
    assert "No such task" in card(page)


def test_a_neighbour_on_the_card_leads_on_and_keeps_the_focus(open_page):
    page = open_page()
    dot(page, 0).click()
    near = page.locator(".told button").first
    name = near.inner_text()
    near.press("Enter")
    assert pinned(page) == [NAMES.index(name)]
    assert page.evaluate("Number(document.activeElement.dataset.task)") == NAMES.index(name)


def test_entry_of_the_key_finds_its_group(open_page):
    page = open_page()
    page.locator(".key button").nth(2).click()
    assert "Found 3" in card(page)
    page.locator(".key button").nth(2).click()
    assert "12 tasks" in card(page)


def test_markup_in_names_is_shown_as_it_is(open_page):
    page = open_page()
    dot(page, 2).click()
    assert NAMES[2] in card(page)
    assert page.locator(".t2v-map b").count() == 0


def test_finger_pins_and_scrolls_past(open_page):
    page = open_page(390, has_touch=True, is_mobile=True)
    dot(page, 9).tap()
    assert pinned(page) == [9]
    box = page.locator(".told").first.bounding_box()
    assert box["y"] + 100 < 740  # what is told of the task is on the screen
    page.locator(".plane").first.tap(position={"x": 2, "y": 2})
    assert pinned(page) == []
    assert "pan-y" in page.locator(".plane").first.evaluate("e => getComputedStyle(e).touchAction")
    plane = page.locator(".plane").first.bounding_box()
    session = page.context.new_cdp_session(page)
    x, y = plane["x"] + 60, plane["y"] + 250
    for kind, up in (("touchStart", 0), *(("touchMove", 20 * k) for k in range(1, 11))):
        points = [{"x": x, "y": y - up}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > 100


def test_wheel_over_the_map_scrolls_the_page(open_page):
    page = open_page()
    dot(page, 3).hover()
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > before + 200


@pytest.mark.parametrize("width", [320, 360, 390, 768])
def test_page_does_not_scroll_sideways_and_nothing_is_cut(open_page, width):
    page = open_page(width, reduced_motion="reduce")
    for k in (0, 1):
        page.locator(".switch button").nth(k).click()
        dot(page, 6).focus()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        [[left, top, right, bottom]] = boxes(page, ".plane")
        for box in boxes(page, ".dot, .area:not(.hidden)"):
            inside = (box[0] - left, box[1] - top, right - box[2], bottom - box[3])
            assert min(inside) > -1  # pixels: boxes are not whole ones


def test_two_maps_on_one_page_do_not_mix(open_page):
    page = open_page()
    dot(page, 4).click()
    second = page.locator(".t2v-map").nth(1)
    assert second.locator('.dot[aria-pressed="true"]').count() == 0
    assert second.locator(".tile").count() == 0
    sizes = [second.locator(f'.dot[data-task="{i}"]').bounding_box()["width"] for i in (0, 11)]
    assert sizes[1] > 1.3 * sizes[0]
    names = "Object.getOwnPropertyNames(window)"
    empty = "document.body.appendChild(document.createElement('iframe')).contentWindow"
    ours = set(page.evaluate(names)) - set(page.evaluate(names.replace("window", empty)))
    assert not {name for name in ours if not name.isdecimal()}  # frames are numbers


def test_paper_and_readers_without_scripts_get_both_maps_at_once(open_page):
    page = open_page()
    still, live = page.locator(".still").first, page.locator(".live").first
    assert live.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()
    plain = open_page(java_script_enabled=False)
    assert plain.locator(".still").first.is_visible()
    assert not plain.locator(".live").first.is_visible()
