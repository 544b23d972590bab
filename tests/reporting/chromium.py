"""A headless Chromium over its pipe (DevTools protocol), to see pages as a user does: no driver needed."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics processor
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--disable-background-networking", "--no-first-run",
)  # fmt: skip


class Chromium:
    """One page: `requests` are what it asked the network or disk for, `errors` what its console said."""

    def __init__(self, *, gl: bool = False, width: int = 1200, height: int = 900) -> None:
        self.profile = tempfile.mkdtemp()
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def hand_over() -> None:  # the browser reads commands from 3 and answers on 4
            # Out of the way first: either may itself be 3 or 4.
            reads, writes = (fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (to_browser, from_browser))
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        drawing = GL if gl else ["--disable-gpu", "--disable-3d-apis"]
        size = [f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        self.process = subprocess.Popen(
            [PROGRAM, *SWITCHES, *size, *drawing, "about:blank"],
            preexec_fn=hand_over,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._left, self._number = b"", 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        targets = self._send("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._send(f"{domain}.enable")
        self._send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0,
                   uploadThroughput=0)  # fmt: skip

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, page: Path) -> None:
        self.requests.clear()
        self.errors.clear()
        self._send("Page.navigate", url=page.absolute().as_uri())
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> object:
        """The value of an expression in the page; promises are waited for."""
        answer = self._send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < end, f"never happened: {condition}; console: {self.errors}"
            time.sleep(0.1)

    def look(self, *, dark: bool = False, width: int = 1200) -> None:
        """As a user with that preference and that screen has it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                   mobile=width < 600)  # fmt: skip

    def screenshot(self, png: Path, *, whole: bool = True) -> None:
        shot = self._send("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                          **({"clip": self._whole()} if whole else {}))  # fmt: skip
        png.write_bytes(b64decode(shot["data"]))

    def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self._send(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=KEYS[name]
            )

    def _whole(self) -> dict:
        size = self._send("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def _send(self, method: str, **values: object) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": values}
        if hasattr(self, "_session") and not method.startswith("Target."):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict:
        while b"\0" not in self._left:
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser ended"
            self._left += chunk
        message, self._left = self._left.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: dict) -> None:
        values = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            address = values["request"]["url"]
            if not address.startswith(("data:", "blob:")) and values.get("type") != "Document":
                self.requests.append(address)
        elif event.get("method") == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.errors.append(values["entry"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and values["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.errors.append(" ".join(str(one.get("value")) for one in values["args"]))
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(values["exceptionDetails"]))


KEYS = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37}
