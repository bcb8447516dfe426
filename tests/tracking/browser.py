"""A headless Chromium that opens pages, waits until they show something, and takes pictures of them."""

import asyncio
import base64
import itertools
import json
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    # With a mouse, as a user has: plots then hide their buttons.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)
# The assistant's panel is closed, and the pages are those of training.
AS_AFTER_A_FIRST_VISIT = """
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.workflowType_v1', '"machine_learning"');
"""


class Browser:
    """One page of a browser, driven through the DevTools protocol."""

    def __init__(self, *, width_px: int = 1440, height_px: int = 900) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))
        self._size = f"--window-size={width_px},{height_px}"
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        command = [str(CHROMIUM), *FLAGS, self._size, f"--user-data-dir={self._folder}", "about:blank"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._loop.run_until_complete(self._connect())
        self._call("Page.enable")
        self.before_each_page(AS_AFTER_A_FIRST_VISIT)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def before_each_page(self, script: str) -> None:
        """Run a script in each page of a server from now on, before the page's own."""
        source = f"if (location.protocol === 'http:') {{ {script} }}"
        self._call("Page.addScriptToEvaluateOnNewDocument", source=source)

    def open(self, url: str, shows: str, *, timeout_s: float = 40) -> None:
        """Go to a page and wait until the JavaScript expression `shows` is true."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)
        self.wait_for(shows, timeout_s=timeout_s)

    def wait_for(self, shows: str, *, timeout_s: float = 40) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not self.evaluate(shows):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"the page never fulfilled {shows}; it says:\n{self.text()}")
            time.sleep(0.2)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def text(self) -> str:
        """Return what the page says."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        answer = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    async def _connect(self) -> None:
        port_file = self._folder / "DevToolsActivePort"
        while not (port_file.is_file() and port_file.read_text()):
            assert self._process.poll() is None, "Chromium does not start"
            await asyncio.sleep(0.1)
        port = port_file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            (page,) = [target for target in await answer.json() if target["type"] == "page"]
        self._socket = await self._session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._loop.run_until_complete(self._ask(method, parameters))

    async def _ask(self, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self._socket:
            answer = json.loads(message.data)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError("Chromium closed the connection")
