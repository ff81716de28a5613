# SPDX-License-Identifier: Apache-2.0
"""Drives Debian's Chromium over its debugging pipe: JSON messages, each ended by a zero byte."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from live import Failure, need


def program():
    return shutil.which("chromium")


class Browser:
    """One page of a headless browser."""

    def __init__(self, width=1280, height=900):
        self.profile = tempfile.mkdtemp(prefix="nlb-browser-")
        to_browser, self.to = os.pipe()
        self.answers, from_browser = os.pipe()
        words = [program(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--no-proxy-server",
                 "--ignore-certificate-errors", "--hide-scrollbars", f"--user-data-dir={self.profile}",
                 "--remote-debugging-pipe", "about:blank"]
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", command, "browser", *words],
                                        pass_fds=[to_browser, from_browser],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.received, self.session, self.said = 0, b"", None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.ask(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message(20)
            if answer.get("id") == self.number:
                need("error" not in answer, f"{method}: {answer.get('error')}")
                return answer["result"]
            self.note(answer)

    def next_message(self, seconds):
        end = time.monotonic() + seconds
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            need(ready, "the browser does not answer")
            piece = os.read(self.answers, 1 << 20)
            need(piece, "the browser is gone")
            self.received += piece
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def note(self, message):
        """What the page complains of: errors of scripts, of the network, of the content policy."""
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description") or details["text"])
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry["level"] == "error":
                self.said.append(f"{entry['text']} {entry.get('url', '')}")

    def size(self, width, height):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)

    def colours(self, scheme):
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.ask("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression on the page; a promise is waited for."""
        done = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            why = done["exceptionDetails"].get("exception", {}).get("description")
            raise Failure(f"{script[:120]}: {why}")
        return done["result"].get("value")

    def wait(self, script, seconds=15, what=None):
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                text = self.run("document.body.innerText")[-400:].replace("\n", " ")
                raise Failure(f"not within {seconds} s: {what or script}; said {self.said}; page: {text}")
            time.sleep(0.05)

    def text(self, selector="body"):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def wait_text(self, text, selector="body", seconds=15):
        wanted = json.dumps(text)
        self.wait(f"(document.querySelector({json.dumps(selector)})?.innerText ?? '').includes({wanted})",
                  seconds,
                  f"\"{text}\" in {selector}")

    def click(self, selector):
        """As a user does: at the middle of what is seen there."""
        place = self.run(f"""(() => {{ const element = document.querySelector({json.dumps(selector)});
            if (!element) return null;
            element.scrollIntoView({{block: "center", inline: "center"}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()""")
        need(place, f"nothing to click at {selector}; page: {self.text()[-800:]}")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                     clickCount=1)

    def type(self, text):
        self.ask("Input.insertText", text=text)

    def key(self, name, code=None):
        numbers = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32}
        text = {"Enter": "\r", "Space": " "}.get(name)
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=" " if name == "Space" else name, code=code
                     or name,
                     windowsVirtualKeyCode=numbers[name], **(more if kind == "keyDown" else {}))

    def picture(self, path, whole=False):
        options = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.ask("Page.captureScreenshot", format="png", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
