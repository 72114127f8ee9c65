"""The report in a browser, used as a person uses it."""

import shlex

import pytest
from playwright.sync_api import Page, expect

from apisr_data.dataset import Dataset, create_dataset
from apisr_data.report import write_report
from apisr_data.stages.select import select
from tests.data.report.sets import SELECT, make

INJECTION = '"><img src=x onerror="document.title=1"></script><script>document.title=2</script>'
DROPPED, KEPT = 2, 3  # places of the first title's frames that are no duplicates


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make(tmp_path_factory.mktemp("report") / "a set's folder", ["Alpha", "銀河 ｶﾀｶﾅ"], 20)


@pytest.fixture(scope="module")
def report(dataset: Dataset) -> str:
    return write_report(dataset).path.as_uri()


@pytest.fixture
def sheet(page: Page, report: str) -> Page:
    page.goto(f"{report}#frames")
    return page


def frame(page: Page, place: int):
    return page.locator(f"#frame-{place}")


def is_kept(page: Page, place: int) -> bool:
    return "kept" in frame(page, place).get_attribute("class").split()


def places(page: Page) -> list[str]:
    """What stands under the frames, in their order."""
    return page.locator(".cell .caption > bdi").all_inner_texts()


def test_the_page_asks_for_nothing_from_elsewhere(sheet, refused):
    for view in ("overview", "duplicates", "heights", "videos", "frames"):
        sheet.goto(sheet.url.partition("#")[0] + f"#{view}")
        expect(sheet.locator("nav [aria-current=page]")).to_have_attribute("href", f"#{view}")
    assert refused == []


def test_filters_leave_the_frames_that_they_name(sheet):
    found = sheet.locator(".filters > output")
    expect(found).to_have_text("40 of 40 frames, 16 kept")
    sheet.get_by_label("Title").select_option(label="銀河 ｶﾀｶﾅ (20)")
    expect(found).to_have_text("20 of 40 frames, 8 kept")
    sheet.get_by_label("Verdict").select_option("dropped")
    expect(found).to_have_text("12 of 40 frames, 0 kept")
    sheet.get_by_label("Reason").select_option(label="duplicate (8)")
    expect(found).to_have_text("4 of 40 frames, 0 kept")
    sheet.get_by_role("button", name="Clear").click()
    expect(found).to_have_text("40 of 40 frames, 16 kept")
    sheet.get_by_label("Search").fill("カタカナ")  # the title has them at half width
    expect(found).to_have_text("20 of 40 frames, 8 kept")


def test_a_score_range_leaves_the_frames_within(sheet):
    lower = sheet.get_by_label("least complexity")
    lower.focus()
    lower.press("End")
    expect(sheet.locator(".filters > output")).to_have_text("2 of 40 frames, 2 kept")
    lower.press("Home")
    expect(sheet.locator(".filters > output")).to_have_text("40 of 40 frames, 16 kept")


def test_frames_sort_by_a_score_and_back(sheet):
    sheet.get_by_label("Title").select_option(label="Alpha (20)")
    sheet.get_by_label("Sort by").select_option("complexity")
    assert places(sheet)[:3] == ["1:35", "1:30", "1:25"]
    sheet.get_by_role("button", name="greatest first").click()
    assert places(sheet)[:3] == ["0:00", "0:05", "0:10"]
    sheet.get_by_label("Sort by").select_option("sharpness")
    assert places(sheet)[:2] == ["0:00", "0:05"]


def test_a_click_overrides_and_undo_takes_it_back(sheet):
    assert not is_kept(sheet, DROPPED)
    frame(sheet, DROPPED).get_by_label("keep").click()
    assert is_kept(sheet, DROPPED)
    expect(sheet.locator(".decisions")).to_contain_text("1 decision to hand over")
    sheet.get_by_role("button", name="Undo").click()
    assert not is_kept(sheet, DROPPED)
    expect(sheet.locator(".decisions")).to_contain_text("no decisions")


def test_keys_alone_do_everything(sheet):
    sheet.get_by_role("grid").focus()
    for key in ("ArrowRight", "n", "k", "n", "d"):
        sheet.keyboard.press(key)
    assert (is_kept(sheet, DROPPED), is_kept(sheet, KEPT)) == (True, False)
    expect(frame(sheet, KEPT)).to_have_attribute("aria-selected", "true")
    expect(sheet.get_by_role("grid")).to_have_attribute("aria-activedescendant", f"frame-{KEPT}")
    sheet.keyboard.press("u")
    assert is_kept(sheet, KEPT)
    sheet.keyboard.press("p")
    sheet.keyboard.press("a")
    assert not is_kept(sheet, DROPPED)
    sheet.keyboard.press("Shift+K")
    assert is_kept(sheet, DROPPED)
    expect(frame(sheet, KEPT)).to_have_attribute("aria-selected", "true")


def test_keys_typed_into_a_field_decide_nothing(sheet):
    sheet.get_by_label("Search").press_sequentially("kdu")
    expect(sheet.locator(".decisions")).to_contain_text("no decisions")


def test_escape_closes_the_panel_and_enter_opens_it(sheet):
    panel = sheet.get_by_role("complementary", name="Frame")
    expect(panel).to_be_visible()
    panel.get_by_role("button", name="Close").focus()
    sheet.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(sheet.get_by_role("grid")).to_be_focused()
    sheet.keyboard.press("End")
    sheet.keyboard.press("Enter")
    expect(panel).to_contain_text(f"{1:016x}-19")


def test_decisions_survive_a_reload_and_so_does_undo(sheet):
    frame(sheet, DROPPED).get_by_label("keep").click()
    frame(sheet, KEPT).get_by_label("drop").click()
    sheet.reload()
    assert (is_kept(sheet, DROPPED), is_kept(sheet, KEPT)) == (True, False)
    sheet.keyboard.press("u")
    assert (is_kept(sheet, DROPPED), is_kept(sheet, KEPT)) == (True, True)


def test_the_download_is_what_select_takes(page, tmp_path):
    dataset = make(tmp_path / "a set's folder", ["Alpha"], 20)
    page.goto(write_report(dataset).path.as_uri() + "#frames")
    frame(page, DROPPED).get_by_label("keep").click()
    frame(page, KEPT).get_by_label("drop").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download overrides").click()
    assert download.value.suggested_filename == "overrides.csv"
    told = f"apisr-data select {shlex.quote(str(dataset.path))} --overrides overrides.csv"
    expect(page.locator(".told")).to_contain_text(told)
    download.value.save_as(tmp_path / "overrides.csv")
    select(dataset, SELECT, overrides=tmp_path / "overrides.csv")
    chosen = {
        frame_id: (kept, reason)
        for frame_id, kept, reason in dataset.sql("FROM selection SELECT #1, #2, #3").fetchall()
    }
    assert chosen[f"{0:016x}-{DROPPED}"] == (True, "override: by hand")
    assert chosen[f"{0:016x}-{KEPT}"] == (False, "override: by hand")

    write_report(dataset)
    page.reload()
    expect(page.locator(".decisions")).to_contain_text("no decisions to hand over")
    expect(frame(page, DROPPED)).to_contain_text("by hand")
    page.get_by_label("Verdict").select_option("hand")
    expect(page.locator(".filters > output")).to_have_text("2 of 20 frames, 1 kept")


def test_what_the_dataset_remembers_goes_into_the_next_file(page, tmp_path):
    dataset = make(tmp_path / "set", ["Alpha"], 5)
    (tmp_path / "first.csv").write_text(
        f'frame_id,is_kept,reason\n{0:016x}-{DROPPED},true,"well, ""fine"""\ngone-1,false,\n'
    )
    select(dataset, SELECT, overrides=tmp_path / "first.csv")
    page.goto(write_report(dataset).path.as_uri() + "#frames")
    frame(page, KEPT).get_by_label("drop").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download overrides").click()
    download.value.save_as(tmp_path / "second.csv")
    assert (tmp_path / "second.csv").read_text().splitlines() == [
        "frame_id,is_kept,reason",
        "gone-1,false,",
        f'{0:016x}-{DROPPED},true,"well, ""fine"""',
        f"{0:016x}-{KEPT},false,by hand",
    ]


def test_names_are_shown_as_text_whatever_they_hold(page, tmp_path):
    page.goto(write_report(make(tmp_path / "set", [INJECTION], 6)).path.as_uri())
    expect(page.locator("main")).to_contain_text(INJECTION)
    for view in ("frames", "duplicates", "heights", "videos"):
        page.goto(page.url.partition("#")[0] + f"#{view}")
    assert page.title() == "set: report"


def test_a_reason_in_the_overview_leads_to_its_frames(sheet):
    sheet.get_by_role("link", name="Overview").click()
    sheet.get_by_role("button", name="duplicate", exact=True).click()
    expect(sheet.locator(".filters > output")).to_have_text("8 of 40 frames, 0 kept")


def test_duplicates_stand_together_and_the_kept_one_is_marked(sheet):
    sheet.get_by_role("link", name="Duplicates").click()
    group = sheet.locator(".group").first
    expect(group.locator(".member")).to_have_count(2)
    expect(group.locator(".member").first).to_contain_text("the kept one")
    group.locator(".member").nth(1).click()
    sheet.keyboard.press("k")
    expect(group.locator(".member").nth(1)).to_have_class("member kept")


def test_colours_follow_the_system_until_they_are_chosen(sheet):
    def background():
        return sheet.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background()
    sheet.emulate_media(color_scheme="dark")
    dark = background()
    assert light != dark
    sheet.get_by_role("button", name="Colours: auto").click()
    assert background() == light
    sheet.reload()
    assert background() == light


def test_a_dataset_without_anything_says_what_to_run(page, tmp_path):
    page.goto(write_report(create_dataset(tmp_path / "set")).path.as_uri())
    for view in ("overview", "frames", "duplicates", "heights", "videos"):
        page.goto(page.url.partition("#")[0] + f"#{view}")
        expect(page.locator("main .notice").first).to_contain_text("apisr-data ")


def test_a_phone_shows_the_page_without_scrolling_sideways(sheet):
    sheet.set_viewport_size({"width": 360, "height": 700})
    for view in ("overview", "frames", "duplicates", "heights", "videos"):
        sheet.goto(sheet.url.partition("#")[0] + f"#{view}")
        assert sheet.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_chart_has_its_figures_as_a_table(sheet):
    sheet.get_by_role("link", name="Overview").click()
    chart = sheet.locator("figure", has_text="Bytes that a frame was coded with")
    chart.get_by_text("The figures").click()
    expect(chart.get_by_role("cell", name="800", exact=True)).to_be_visible()


def test_the_pointer_over_a_curve_tells_its_figures(sheet):
    sheet.get_by_role("link", name="Heights").click()
    sheet.locator("figure .catcher").first.hover()
    expect(sheet.locator("#tip")).to_contain_text("487 px\nbilinear: 1.7")  # exp(1 - 0.487) = 1.67


@pytest.mark.slow
def test_ten_thousand_frames_keep_few_cells_in_the_page(page, tmp_path):
    report = write_report(make(tmp_path / "set", [f"Title {n}" for n in range(20)], 500))
    assert report.pictures is not None
    page.goto(report.path.as_uri() + "#frames")
    found = page.locator(".filters > output")
    expect(found).to_have_text("10,000 of 10,000 frames, 4,000 kept")
    page.get_by_role("grid").focus()
    for key, place in (("End", 9999), ("Home", 0), ("PageDown", 0), ("End", 9999)):
        page.keyboard.press(key)
        if key != "PageDown":
            expect(frame(page, place)).to_be_in_viewport()
        assert page.locator(".cell").count() < 150
    page.keyboard.press("k")
    assert is_kept(page, 9999)
    page.get_by_label("Search").fill("duplicate of")
    expect(found).to_have_text("2,000 of 10,000 frames, 0 kept")
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
    assert broken == 0
