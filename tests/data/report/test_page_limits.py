"""The report in a browser at its limits: odd names, no storage, nothing listed, few means of input."""

import pytest
from playwright.sync_api import Page, expect

from apisr_data.report import write_report
from tests.data.report.sets import make

OVERRIDE = "\u202e"  # turns all text after it round, until it is isolated
LONG = "Long" * 60
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError') }})"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    dataset = make(tmp_path_factory.mktemp("report") / "set", [LONG, f"turned{OVERRIDE}round"], 10)
    return write_report(dataset).path.as_uri()


@pytest.fixture
def sheet(page: Page, report: str) -> Page:
    page.goto(f"{report}#frames")
    return page


@pytest.mark.parametrize("width", [380, 1300])
def test_a_long_title_widens_no_page_and_covers_no_number(page, report, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(report)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.get_by_role("region", name="Frames by title").get_by_role("row", name="LongLong")
    name, count = (row.locator(at).bounding_box() for at in (".link", "td:nth-child(2)"))
    assert name["x"] + name["width"] <= count["x"]


def test_the_first_stop_of_tab_leads_past_the_head(sheet):
    sheet.keyboard.press("Tab")
    skip = sheet.get_by_role("button", name="Skip to the content")
    expect(skip).to_be_focused()
    sheet.keyboard.press("Enter")
    expect(sheet.get_by_role("grid")).to_be_focused()


def test_where_nothing_is_listed_keys_decide_nothing_and_a_button_leads_back(sheet):
    sheet.get_by_label("Search").fill("no such frame")
    expect(sheet.locator("main .notice")).to_contain_text("No frame matches")
    expect(sheet.get_by_role("complementary")).to_be_hidden()
    sheet.get_by_role("button", name="Show all frames").focus()
    for key in "kd":
        sheet.keyboard.press(key)
    expect(sheet.locator(".decisions")).to_contain_text("no decisions")
    sheet.keyboard.press("Enter")
    expect(sheet.locator("main .notice")).to_be_hidden()
    expect(sheet.get_by_role("complementary")).to_be_visible()


def test_a_browser_that_stores_nothing_says_so_at_the_first_decision(page, report):
    page.add_init_script(NO_STORAGE)
    page.goto(f"{report}#frames")
    told = page.locator(".told")
    expect(told).to_be_hidden()
    page.locator("#frame-3").get_by_label("drop").click()
    expect(told).to_contain_text("keeps nothing for this file")


def test_undo_goes_to_the_frame_that_it_is_about(sheet):
    sheet.get_by_role("grid").focus()
    for key in ("k", "End", "u"):
        sheet.keyboard.press(key)
    expect(sheet.get_by_role("grid")).to_have_attribute("aria-activedescendant", "frame-0")


def test_a_title_that_turns_text_round_turns_only_itself(sheet):
    told = sheet.locator("#frame-13").get_attribute("aria-label")
    assert told.startswith(f"\u2068turned{OVERRIDE}round\u2069, 0:15; kept: number 1 of 2 candidates in part 1 of its")
    assert sheet.locator("#frame-13").get_attribute("title").startswith("\u2068turned")


def test_print_leaves_the_controls_out(sheet):
    sheet.emulate_media(media="print")
    for hidden in (".panel", ".filters", "nav"):
        expect(sheet.locator(hidden)).to_be_hidden()
