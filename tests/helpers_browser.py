"""A headless Chromium, where one is installed: pages opened, keys pressed, what stands there read.

It speaks the browser's own protocol through a pair of pipes, so that tests need no driver and no port.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-dev-shm-usage",
)


def browser_path() -> str | None:
    """The program, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. What its scripts complain of is in `complaints`."""

    def __init__(self, to: FileIO, back: FileIO) -> None:
        self._to, self._back = to, back
        self._number = 0
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One method of the protocol, and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, path: Path, width: int = 1280, height: int = 900, mobile: bool = False) -> None:
        """Show a file in a window of that size, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self._events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._note(self._next())

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of an element as it is shown."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def press(self, key: str, shift: bool = False) -> None:
        """One key, on what has the focus."""
        letter = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift, **letter)

    def click(self, selector: str, share: float = 0.5) -> None:
        """An element at a share of its width, in the middle of its height; it is scrolled into view first."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
        x, y, width, height = self.evaluate(
            f"(() => {{const b = {found}.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]}})()"
        )
        at = {"x": x + share * width, "y": y + height / 2, "button": "left", "buttons": 1, "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def picture(self, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not (more := self._back.read(1 << 20)):
                raise RuntimeError("the browser has gone")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method", ""), event.get("params", {})
        self._events.append(event)
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        if method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(str(parameters["entry"]["text"]))
        if method == "Network.requestWillBeSent":
            self.requests.append(str(parameters["request"]["url"]))


@contextlib.contextmanager
def browser_page(program: str, profile: Path) -> Iterator[Page]:
    """A tab of a browser that ends with the block; `profile` is a folder of its own."""
    from_us, to = os.pipe()
    back, from_it = os.pipe()
    command = f'exec "$0" "$@" 3<&{from_us} 4>&{from_it}'
    flags = (*FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe")
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, program, *flags],
        pass_fds=(from_us, from_it),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(from_it)
    try:
        with FileIO(to, "w") as sender, FileIO(back) as receiver:
            page = Page(sender, receiver)
            yield page
            page.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=120)
    finally:
        process.kill()
        process.wait()
