"""The report of ten thousand frames in a headless Chromium, against a page that holds every frame's cell at once.

    python benchmarks/report.py [--frames 10000]

Writing is CPU time. In the page, times are those of the page's own thread: the load of other programs does not count,
and neither does painting, which other threads do.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from apisr_data.report import write_report

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.data.report.sets import make

TITLES = 20
ASKED = (
    ("verdict", "kept"),
    ("title", "3"),
    ("title", ""),
    ("verdict", ""),
    ("sort", "complexity"),
    ("sort", "sharpness"),
    ("text", "duplicate of"),
    ("text", ""),
)
SCROLL = """async rows => {
  const step = () => new Promise(requestAnimationFrame);
  for (let row = 0; row < rows; row++) { scrollBy(0, 150); await step(); }
}"""
CHANGE = """([name, value]) => {
  const control = document.forms[0].elements[name];
  control.value = value;
  control.dispatchEvent(new Event(name === "text" ? "input" : "change", { bubbles: true }));
  document.body.offsetHeight;
}"""
SCROLLED = 200  # rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=10_000)
    frames = parser.parse_args().frames
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("no browser on PATH: chromium, chromium-browser or google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        dataset = make(
            Path(folder) / "set", [f"Title {n:02d}" for n in range(TITLES)], frames // TITLES, thumbnail_px=(256, 144)
        )
        start = time.process_time()
        written = write_report(dataset)
        size = written.path.stat().st_size / 1e6
        print(f"write {frames:,} frames: {time.process_time() - start:.1f} s, a page of {size:.1f} MB")
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        for view in ("overview", "frames"):
            page.goto("about:blank")
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(f"{written.path.as_uri()}#{view}")
            page.wait_for_timeout(1500)
            print(f"first view of {view}: {seconds(session) * 1e3:.0f} ms")
        for name, value in ASKED:
            print(f"{name} = {value!r}: {spent(session, page, CHANGE, [name, value]) * 1e3:.0f} ms")
        page.locator("#frame-0").click()
        page.keyboard.press("k")
        start_s = seconds(session)
        for key in "dkdk" * 5:
            page.keyboard.press(key)
        print(f"a decision: {(seconds(session) - start_s) / 20 * 1e3:.1f} ms")
        scrolled = spent(session, page, SCROLL, SCROLLED)
        print(
            f"scrolling a row: {scrolled / SCROLLED * 1e3:.1f} ms; cells in the page: {page.locator('.cell').count()}"
        )
        few = spent(session, page, CHANGE, ["text", ""])
        page.evaluate("Object.defineProperty(window, 'innerHeight', { value: 1e9 })")
        every = spent(session, page, CHANGE, ["text", ""])
        print(f"the list anew with the cells near the window: {few * 1e3:.0f} ms, with all: {every * 1e3:.0f} ms")
        print(f"ratio {every / few:.0f}x")
        browser.close()


def seconds(session: CDPSession) -> float:
    """CPU seconds that the page's thread has worked so far."""
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def spent(session: CDPSession, page: Page, script: str, argument: object) -> float:
    """CPU seconds of the page's thread for a script and the frame after it."""
    start = seconds(session)
    page.evaluate(script, argument)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return seconds(session) - start


if __name__ == "__main__":
    main()
