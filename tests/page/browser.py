"""Just enough of Chromium's DevTools protocol to look at a page that lies on a disk.

One browser, one page at a time, every wait bounded. What the page writes to the console, what it throws and
what it asks the network for is kept, so that a test can say that there was none.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

import websocket

SECONDS = 60
BINARIES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """The browser on this machine, or None."""
    return next((path for path in map(shutil.which, BINARIES) if path), None)


class Browser:
    """A headless browser. Use it with `with`."""

    def __init__(self, binary):
        self.folder = tempfile.mkdtemp(prefix="scsim-page-")
        command = [
            binary,
            "--headless=new",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            "--user-data-dir=" + self.folder,
            "--no-first-run",
            "--disable-gpu",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "about:blank",
        ]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.number = 0
        self.events = []
        try:
            self.socket = websocket.create_connection(self._address(), timeout=SECONDS, max_size=None)
            target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
            attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
            self.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(domain + ".enable")
        except BaseException:
            self.close()
            raise

    def _address(self):
        """The browser writes where it listens into its own folder."""
        place = os.path.join(self.folder, "DevToolsActivePort")
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the browser ended with {self.process.returncode}")
            if os.path.exists(place):
                lines = open(place, encoding="ascii").read().split("\n")
                if len(lines) > 1 and lines[1]:
                    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        raise RuntimeError("the browser does not answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _receive(self, until):
        self.socket.settimeout(max(0.01, until - time.monotonic()))
        message = json.loads(self.socket.recv())
        if "method" in message:
            self.events.append(message)
        return message

    def _call(self, method, params=None, session=None):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        until = time.monotonic() + SECONDS
        while True:
            answer = self._receive(until)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def call(self, method, params=None):
        """One command of the protocol, on the page."""
        return self._call(method, params, self.session)

    def open(self, address, width, height):
        """Opens a page and waits until it has loaded."""
        self.size(width, height)
        self.events.clear()
        self.call("Page.navigate", {"url": address})
        until = time.monotonic() + SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._receive(until)

    def size(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name):
        # Without motion a scroll has happened when it returns.
        features = [{"name": "prefers-color-scheme", "value": name}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", {"media": "", "features": features})

    def ask(self, expression):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", expression))
        return result["result"].get("value")

    def press(self, key, code=None, text=None):
        for kind in ("keyDown", "keyUp"):
            params = {"type": kind, "key": key, "code": code or key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
            if text and kind == "keyDown":
                params["text"] = text
            self.call("Input.dispatchKeyEvent", params)

    def mouse(self, kind, x, y, buttons=0):
        button = "left" if buttons or kind in ("mousePressed", "mouseReleased") else "none"
        params = {"type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", params)

    def picture(self, path, box=None):
        """A screenshot of a part of the page: x, y, width and height in it."""
        params = {"format": "png", "captureBeyondViewport": True}
        if box:
            params["clip"] = dict(zip(("x", "y", "width", "height"), box), scale=1)
        data = self.call("Page.captureScreenshot", params)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What the page said, threw or asked the network for since it was opened."""
        found = []
        for event in self.events:
            method, params = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append("exception: " + details.get("exception", {}).get("description", details["text"]))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append("log: " + params["entry"]["text"])
            elif method == "Network.requestWillBeSent":
                address = params["request"]["url"]
                if not address.startswith(("file:", "data:", "blob:", "about:")):
                    found.append("request: " + address)
        return found


KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35}
