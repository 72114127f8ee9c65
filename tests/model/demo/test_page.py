"""The page in a real browser."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from apisr_model.cli import app
from tests.model.demo.conftest import Served
from tests.model.upscale.video.films import film


@pytest.fixture
def demo(served: Served, page: Page, refused: list[str]) -> Page:
    """The page, opened; nothing outside this machine was asked for."""
    page.goto(served.address)
    expect(page.get_by_role("tab", name="Picture")).to_be_visible()
    assert refused == []
    return page


def give(page: Page, tab: str, file: Path) -> None:
    """Choose a file in a tab whose ids begin so, and wait until it has been uploaded."""
    with page.expect_response(lambda response: "/upload?" in response.url):
        page.locator(f"#{tab}-input input[type=file]").set_input_files(file)
    expect(page.locator(f"#{tab}-input").get_by_label(re.compile("Clear|Remove", re.IGNORECASE))).to_be_visible()


def run(page: Page, tab: str) -> str:
    """Start, and wait for what is said at the end."""
    page.locator(f"#{tab}-run").click()
    said = page.locator(f"#{tab}-status [role=status]")
    expect(said).to_be_visible(timeout=30_000)
    return said.inner_text()


def run_again(page: Page, tab: str, said: str) -> str:
    """Start, and wait until that is said."""
    page.locator(f"#{tab}-run").click()
    page.wait_for_timeout(300)
    expect(page.locator(f"#{tab}-status [role=status]")).to_contain_text(said, timeout=30_000)
    return page.locator(f"#{tab}-status").inner_text()


def test_a_picture_is_compared_and_downloaded_as_the_command_writes_it(
    served: Served, demo: Page, picture: Path, tmp_path: Path, refused: list[str]
) -> None:
    assert run(demo, "upscale") == "Choose a file first."
    give(demo, "upscale", picture)
    assert run_again(demo, "upscale", "became").startswith("40x30 became 80x60 px")
    shown = demo.locator("#upscale-slider img")
    expect(shown).to_have_count(2)
    for index in range(2):
        expect(shown.nth(index)).to_have_js_property("naturalWidth", 80)
        expect(shown.nth(index)).to_have_js_property("naturalHeight", 60)
    with demo.expect_download() as download:
        demo.locator("#upscale-download").click()
    assert download.value.suggested_filename.endswith("絵.apisr.png")
    ours = np.asarray(Image.open(download.value.path()))
    app(["upscale", str(picture), "-o", str(tmp_path / "x.png"), "-w", str(served.weights)], standalone_mode=False)
    np.testing.assert_array_equal(ours, np.asarray(Image.open(tmp_path / "x.png")))
    assert refused == []


def test_no_result_stays_beside_another_input_and_the_page_keeps_its_width(demo: Page, picture: Path) -> None:
    width = "() => document.querySelector('[role=tablist]').getBoundingClientRect().width"
    empty = demo.evaluate(width)
    give(demo, "upscale", picture)
    run(demo, "upscale")
    shown, download = demo.locator("#upscale-slider img").first, demo.locator("#upscale-download")
    expect(shown).to_be_visible()
    expect(demo.locator("#upscale-stop")).to_be_disabled()
    assert demo.evaluate(width) == empty > 1000
    demo.locator("#upscale-input").get_by_label(re.compile("Clear|Remove", re.IGNORECASE)).click()
    expect(shown).not_to_be_visible()
    expect(download).to_be_disabled()
    expect(download).to_have_text("Download")
    expect(demo.locator("#upscale-status")).to_have_text("")


def test_a_value_that_is_not_taken_is_refused_in_words(served: Served, demo: Page) -> None:
    logged = served.log.read_text()
    demo.get_by_role("tab", name="Video").click()
    demo.get_by_label("Duration, s").fill("-3")
    demo.locator("#video-run").click()
    expect(demo.get_by_test_id("toast-body")).to_contain_text("Duration, s: Value -3 is less than minimum value 0.")
    assert served.log.read_text() == logged


def test_a_files_name_is_text_wherever_it_is_shown(demo: Page, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x onerror=document.title=1>.png"
    bad.write_bytes(b"no picture")
    demo.locator("#upscale-input input[type=file]").set_input_files(bad)
    demo.wait_for_timeout(300)
    said = run(demo, "upscale")
    assert "not a picture that can be read" in said
    assert "/" not in said.replace("<img src=x", "")  # no folder of the server
    assert demo.title() == "APISR"


@pytest.mark.slow
def test_too_large_a_picture_is_refused_by_its_size(demo: Page, tmp_path: Path) -> None:
    Image.new("RGB", (1500, 1000)).save(tmp_path / "large.png")
    give(demo, "upscale", tmp_path / "large.png")
    assert "1500x1000 px are 1.5 million; at most 1 are taken" in run(demo, "upscale")


@pytest.mark.slow
def test_weights_that_are_not_here_are_named_with_their_command(demo: Page, picture: Path) -> None:
    give(demo, "upscale", picture)
    demo.get_by_label("Weights").first.click()
    demo.get_by_role("option", name="apisr-grl-x4 (not fetched)").click()
    expect(demo.get_by_text("Licence of these weights: GPL-3.0-only").first).to_be_visible()
    assert "apisr-model weights fetch apisr-grl-x4" in run(demo, "upscale")


@pytest.mark.slow
def test_a_part_of_a_video_is_upscaled_and_downloaded(demo: Page, tmp_path: Path) -> None:
    demo.get_by_role("tab", name="Video").click()
    give(demo, "video", film(tmp_path / "film.mp4", frames=20))
    demo.get_by_label("Duration, s").fill("0.5")
    assert run(demo, "video").startswith("12 frames of 128x96")
    expect(demo.locator("#video-player video")).to_have_js_property("videoWidth", 128)
    with demo.expect_download() as download:
        demo.locator("#video-download").click()
    assert download.value.suggested_filename == "film.0-0.5s.apisr.mp4"


@pytest.mark.slow
def test_cancelling_a_video_stops_it_and_leaves_nothing(served: Served, demo: Page, sample: Path) -> None:
    demo.get_by_role("tab", name="Video").click()
    give(demo, "video", sample)
    demo.get_by_label("Duration, s").fill("3")
    demo.locator("#video-run").click()
    expect(demo.locator("#video-status")).to_contain_text(re.compile("[1-9] of 72 frames"), timeout=60_000)
    assert any(name.endswith(".apisr-part") for name in served.kept())
    demo.locator("#video-stop").click()
    said = demo.locator("#video-status [role=status]")
    expect(said).to_have_text("Stopped; nothing of it was kept", timeout=20_000)
    assert [name for name in served.kept() if "question" in name] == [sample.name]  # the upload, for another try


@pytest.mark.slow
def test_too_long_a_video_is_refused(demo: Page, tmp_path: Path) -> None:
    demo.get_by_role("tab", name="Video").click()
    give(demo, "video", film(tmp_path / "long.mkv", frames=96))
    demo.get_by_label("Duration, s").fill("0")
    assert "4 s long; at most 3 s are done at a time" in run(demo, "video")


@pytest.mark.slow
def test_lines_are_shown_step_by_step(demo: Page, picture: Path) -> None:
    demo.get_by_role("tab", name="Lines").click()
    give(demo, "lines", picture)
    assert run(demo, "lines").endswith("of the pixels are lines")
    expect(demo.locator("#lines-steps img")).to_have_count(6)
    expect(demo.locator("#lines-slider img")).to_have_count(2)


@pytest.mark.slow
def test_the_divider_follows_the_arrow_keys(demo: Page, picture: Path) -> None:
    demo.get_by_role("tab", name="Lines").click()
    give(demo, "lines", picture)
    run(demo, "lines")
    divider = demo.locator("#lines-slider").get_by_role("slider")
    divider.wait_for()
    # before its pictures are laid out, the slider has no width to move in
    demo.wait_for_function(
        "document.querySelector('#lines-slider [data-testid=slider]').parentElement.clientWidth > 500"
    )
    divider.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "45")
    places = []
    for key, value in (("Home", "[0-4]"), ("End", "9[6-9]|100")):  # the handle stays inside
        divider.press(key)
        expect(divider).to_have_attribute("aria-valuenow", re.compile(f"^({value})$"))
        places.append(divider.bounding_box())
    for name in ("Picture", "pseudo ground truth"):
        expect(demo.locator("#lines-slider").get_by_role("img", name=name, exact=True)).to_have_count(1)
    left, right = places
    assert left is not None
    assert right is not None
    assert right["x"] > left["x"] + 400


@pytest.mark.slow
def test_the_same_seed_degrades_alike(demo: Page, picture: Path) -> None:
    demo.get_by_role("tab", name="Degradation").click()
    give(demo, "degrade", picture)
    demo.get_by_role("button", name="What was drawn").click()
    drawn = []
    for seed in ("3", "3", "4"):
        demo.get_by_label("Seed").fill(seed)
        assert f"seed {seed}" in run_again(demo, "degrade", f"seed {seed}")
        drawn.append(demo.locator("#degrade-steps pre").all_text_contents())
    assert drawn[0] == drawn[1] != drawn[2]
    expect(demo.locator("#degrade-samples img")).to_have_count(6)


@pytest.mark.slow
def test_results_go_when_the_page_is_closed(served: Served, demo: Page, picture: Path) -> None:
    give(demo, "upscale", picture)
    run(demo, "upscale")
    results = [name for name in served.kept() if "apisr" in name]
    assert results
    demo.close()
    waited = time.monotonic()
    while [name for name in served.kept() if "apisr" in name] and time.monotonic() - waited < 20:
        time.sleep(0.1)
    assert [name for name in served.kept() if "apisr" in name] == []
