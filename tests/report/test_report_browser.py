"""The report and the page of a running study as a reader meets them: in a browser, from the disk."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, opened_browser, scrolls_sideways, serious_faults
from playwright.sync_api import Page
from synthetic_study import running

from glsweep.pages import json_for_script, render
from glsweep.report import DASH
from glsweep.report.live import write_live_page
from glsweep.report.pictures import Picture
from glsweep.study import Study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

SIZES = ((1400, 900), (390, 844))
TRIALS = 18
ROWS = "#trial-body tr"
CHART_TEMPLATE = """{% extends "base.html" %}{% from "macros.html" import figure %}
{% block title %}A chart{% endblock %}
{% block body %}<main id="main"><h1>A chart</h1>{{ figure(picture) }}</main>{% endblock %}
{% block scripts %}<script>{{ plotly() }}</script><script>{{ inlined("charts.js") }}</script>{% endblock %}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """One window for all tests; whatever it asks of a network is a fault."""
    with opened_browser() as window:
        asked: list[str] = []
        window.on("request", lambda request: asked.append(request.url))
        window.context.set_offline(True)
        yield window
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def opened(page: Page, path: Path, size: tuple[int, int] = SIZES[0]) -> None:
    """Open a page as for the first time."""
    if page.url.startswith("file:"):
        page.evaluate("sessionStorage.clear(), localStorage.clear()")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(path.as_uri())


def numbers(page: Page, column: int) -> list[float]:
    """Return the numbers of a column of the table of trials, from 1, as they stand there."""
    texts = page.locator(f"{ROWS} td:nth-child({column})").all_inner_texts()
    return [float(text) for text in texts if text != DASH]


def data_of(page: Page) -> list[dict[str, Any]]:
    """Return the trials of the page's data, with the values of their parameters by name."""
    data = json.loads(page.locator("#trial-data").text_content() or "")
    rows = [dict(zip(data["columns"], values, strict=True)) for values in data["trials"]]
    names = [one["name"] for one in data["parameters"]]
    for row in rows:
        row["parameters"] = dict(zip(names, row["parameters"], strict=True))
        row["stratum"] = data["strata"][row["stratum"]]["title"]
    return rows


def test_the_report_fits_the_window_and_is_for_everybody_in_light_and_dark(page: Page, reported: Study):
    for size, colours in zip(SIZES, ("light", "dark"), strict=True):
        page.emulate_media(color_scheme=colours)
        opened(page, reported.report_html, size)
        assert not scrolls_sideways(page)
        assert serious_faults(page) == []
    page.emulate_media(color_scheme="light")


def test_the_table_of_trials_sorts_by_a_click_on_a_heading_and_by_the_keyboard(page: Page, reported: Study):
    opened(page, reported.report_html)
    column = page.locator("#trial-head th", has_text="best relaxed F1")
    place = 1 + page.locator("#trial-head th").all_inner_texts().index(column.inner_text())
    best = numbers(page, place)
    assert column.get_attribute("aria-sort") == "descending"
    assert best == sorted(best, reverse=True)
    column.locator("button").press("Enter")
    assert column.get_attribute("aria-sort") == "ascending"
    worst = numbers(page, place)
    assert worst == sorted(worst)
    assert worst[0] < best[-1]


def test_filters_keep_only_trials_that_are_like_that(page: Page, reported: Study):
    opened(page, reported.report_html)
    page.select_option("#trial-stratum", "U-Net 128")
    assert set(page.locator(f"{ROWS} td:nth-child(2)").all_inner_texts()) == {"U-Net 128"}
    assert page.locator("#trial-count").inner_text() == f"6 of {TRIALS} trials"
    page.fill("#trial-search", "learning_rate>0.001 bce_weight=0.2")
    alike = [row["parameters"] for row in data_of(page) if row["stratum"] == "U-Net 128"]
    expected = sum(one["learning_rate"] > 0.001 and one["bce_weight"] == 0.2 for one in alike)
    assert 0 < page.locator(ROWS).count() == expected < 6
    page.click("#trial-reset")
    assert page.locator("#trial-count").inner_text() == f"{TRIALS} trials"


def test_a_click_on_a_row_shows_the_trial_with_its_curve_and_its_parameters(page: Page, reported: Study):
    opened(page, reported.report_html)
    row = page.locator(ROWS).nth(3)
    name = row.locator("button").inner_text()
    page.wait_for_selector("#trial-chart .point")
    row.hover()
    assert name in (page.locator("#trial-chart .hovertext").text_content() or "")
    row.locator("td").nth(1).click()
    assert page.locator("#trial-title").inner_text() == name
    facts = page.locator("#trial-facts").inner_text()
    assert "learning_rate" in facts
    assert "seed" in facts
    curve = next(row["curve"] for row in data_of(page) if row["id"] == name)
    drawn = page.evaluate("document.getElementById('trial-curve').data.at(-1).y")
    assert len(curve) > 0
    assert drawn == curve
    page.locator(ROWS).nth(4).locator("button").press("Enter")
    assert (
        page.locator("#trial-title").inner_text() == page.locator(ROWS).nth(4).locator("button").inner_text()
    )


def test_a_box_over_the_dots_keeps_only_its_trials_until_it_is_let_go(page: Page, reported: Study):
    opened(page, reported.report_html)
    page.select_option("#trial-axis", "learning_rate")
    page.locator("#trial-chart").scroll_into_view_if_needed()
    page.wait_for_selector("#trial-chart .point")
    box = page.locator("#trial-chart .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_function("!document.getElementById('trial-reset').disabled")
    count = int(page.locator("#trial-count").inner_text().split()[0])
    assert 0 < count < TRIALS
    page.wait_for_function("document.getElementById('trial-chart').layout.shapes.length")
    low = page.evaluate("document.getElementById('trial-chart').layout.shapes[0].y0")
    assert count == sum(row["best"] is not None and row["best"] >= low for row in data_of(page))
    page.reload()
    assert page.locator("#trial-count").inner_text() == f"{count} of {TRIALS} trials"
    page.locator("#trial-chart").scroll_into_view_if_needed()
    page.wait_for_selector("#trial-chart .point")
    page.mouse.dblclick(box["x"] + 5, box["y"] + 5)
    page.wait_for_function("document.getElementById('trial-reset').disabled")
    assert page.locator("#trial-count").inner_text() == f"{TRIALS} trials"


def test_the_reader_chooses_light_or_dark_and_is_remembered(page: Page, reported: Study):
    opened(page, reported.report_html)
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('#trial-curve .xtick text')).fill"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    light = page.evaluate(ink)
    page.select_option("select.theme", "dark")
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    assert page.evaluate(ink) != light
    page.reload()
    assert page.locator("select.theme").input_value() == "dark"
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    page.select_option("select.theme", "system")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_a_chart_is_drawn_when_it_comes_into_view_and_before_it_is_printed(page: Page, tmp_path: Path):
    path = tmp_path / "chart.html"
    template = tmp_path / "template.html"
    template.write_text(CHART_TEMPLATE.replace("<h1>", '<p style="height: 5000px"></p><h1>'))
    figure = {
        "data": [{"type": "scatter", "x": [1, 2], "y": [3, 4], "line": {"color": "var(--ink)"}}],
        "layout": {"title": {"text": "</script>"}},
    }
    words = {"name": "curve", "title": "A curve", "caption": "It rises.", "alt": "A line that rises."}
    picture = Picture(
        **words, definitions=[], width=800, height=400, source="", interactive=json_for_script(figure)
    )
    path.write_text(render(template, {"picture": picture}))
    opened(page, path)
    chart = page.locator("#curve .chart")
    assert page.locator("#curve .js-line").count() == 0
    chart.scroll_into_view_if_needed()
    page.wait_for_selector("#curve .js-line")
    assert page.evaluate("document.querySelector('.js-line').style.stroke") == "rgb(27, 34, 40)"
    assert page.locator("#curve .gtitle").text_content() == "</script>"
    assert chart.locator("[role=img]").get_attribute("aria-label") == "A line that rises."
    assert serious_faults(page) == []
    page.reload()
    page.pdf()
    assert page.locator("#curve .js-line").count() == 1


def test_panels_lie_below_one_another_on_a_narrow_screen_and_a_click_hides_one_thing_in_all_of_them(
    page: Page, reported: Study
):
    heights = []
    for size in SIZES:
        opened(page, reported.report_html, size)
        chart = page.locator("#losses .chart.drawn")
        page.locator("#losses").scroll_into_view_if_needed()
        heights.append(chart.evaluate("chart => chart.layout.yaxis.domain[1] - chart.layout.yaxis.domain[0]"))
        entry = page.locator("#losses .legendtoggle").first
        entry.click()
        hidden = "chart => chart._fullData.filter(one => one.visible === 'legendonly').map(one => one.xaxis)"
        page.wait_for_function(f"({hidden})(document.querySelector('#losses .chart')).length > 0")
        assert set(chart.evaluate(hidden)) == {"x", "x2"}
    assert heights[0] == 1, "two networks side by side"
    assert heights[1] < 0.5


def test_the_whole_report_prints(page: Page, reported: Study):
    opened(page, reported.report_html)
    assert page.pdf(format="A4").count(b"/Type /Page\n") > 3


def test_the_page_of_a_running_study_says_how_it_stands_and_keeps_what_the_reader_chose(
    page: Page, reported: Study, tmp_path: Path
):
    study, terms = running(reported, tmp_path / "running")
    write_live_page(study, "sweep", terms)
    opened(page, study.report_html)
    assert "Running: sweep" in page.locator("#state").inner_text()
    assert "CPU hours" in page.locator("#state").inner_text()
    assert not scrolls_sideways(page)
    assert serious_faults(page) == []
    page.select_option("#trial-outcome", "stopped")
    before = page.locator("#trial-count").inner_text()
    page.evaluate("window.scrollTo({top: 700, behavior: 'instant'})")
    page.clock.install()
    page.reload()
    page.clock.run_for(1000)
    assert page.locator("#trial-count").inner_text() == before
    with page.expect_navigation():
        page.clock.run_for(25_000)
    assert page.locator("#trial-count").inner_text() == before
    assert json.loads(page.evaluate("JSON.stringify(window.scrollY)")) > 0
