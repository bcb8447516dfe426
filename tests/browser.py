"""A headless Chromium that opens pages as a user does, and takes pictures of them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage")
SERIOUS = {"serious", "critical"}


@contextmanager
def opened_browser(
    *, width_px: int = 1400, height_px: int = 900, colours: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """Yield an empty page; at the end no script of any page that it showed may have failed."""
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            size: Any = {"width": width_px, "height": height_px}
            page = browser.new_page(viewport=size, color_scheme=colours)
            page.on("pageerror", lambda error: faults.append(str(error)))
            yield page
        finally:
            browser.close()
    assert not faults, faults


def serious_faults(page: Page) -> list[str]:
    """Return what axe-core finds of serious and critical faults for those who cannot see, or use no mouse."""
    found = Axe().run(page)["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found
        if fault["impact"] in SERIOUS
    ]


def scrolls_sideways(page: Page) -> bool:
    """Return whether the page is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def shows_all(texts: list[str]) -> str:
    """Return a JavaScript expression: the page says each of `texts`."""
    return f"{json.dumps(texts)}.every(text => document.body.innerText.includes(text))"
