#!/usr/bin/env python3
"""Opens a page of `--report` in headless Chromium, as a reader would, and fails if anything is not as it must be.

    page.py PAGE.html [DIRECTORY]
    page.py PAGE.html --picture SELECTOR FILE.png [WIDTH]     one element as a picture, and nothing is checked

Checked: every chart drew; nothing was written to the console and nothing was asked of any network; a variant can be
taken away and brought back with the mouse; pointer and arrow keys read values; all charts over time share one zoom; the
tables under the charts have rows; nothing but tables is wider than a window of 360 pixels. Screenshots at 360 and 1280
pixels, in dark, and the page on paper (PDF) go to DIRECTORY. Exit code 77: there is no Chromium.

It talks to Chromium over its debugging pipe with nothing but Python's library.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
PATIENCE = 60  # seconds for one answer; a hang is a failure


class Browser:
    """Chromium behind its pipe: file descriptors 3 (to it) and 4 (from it), messages end with a zero byte."""

    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.out, out_write = os.pipe()

        def fix():
            os.dup2(to_read, 3)
            os.dup2(out_write, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 f"--user-data-dir={profile}", "about:blank"]
        # The pipe's ends must not be 3 and 4 themselves while they are copied there.
        assert min(to_read, out_write) > 4, "file descriptors are too few"
        self.process = subprocess.Popen([program, *flags], preexec_fn=fix, pass_fds=(3, 4, to_read, out_write),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(out_write)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        os.set_blocking(self.out, False)

    def _message(self, until):
        while b"\0" not in self.buffer:
            if time.monotonic() > until:
                raise TimeoutError("Chromium does not answer")
            try:
                piece = os.read(self.out, 1 << 20)
                if not piece:
                    raise EOFError("Chromium is gone")
                self.buffer += piece
            except BlockingIOError:
                time.sleep(0.002)
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._message(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        until = time.monotonic() + PATIENCE
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._message(until))

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def close(self):
        self.process.kill()
        self.process.wait()


FAILED = []


def check(what, holds, found=""):
    print(f"  {'ok  ' if holds else 'FAIL'} {what}{f': {found}' if found != '' else ''}")
    if not holds:
        FAILED.append(what)


def middle(browser, selector):
    """Scrolls an element into view; where its middle is then, with its box."""
    return browser.evaluate(f"""(() => {{
        const e = document.querySelector({json.dumps(selector)});
        e.scrollIntoView({{ block: "center" }});
        const b = e.getBoundingClientRect();
        return {{ x: b.x + b.width / 2, y: b.y + b.height / 2, left: b.x, width: b.width }};
    }})()""")


def mouse(browser, kind, x, y, **more):
    browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def click(browser, selector):
    at = middle(browser, selector)
    mouse(browser, "mouseMoved", at["x"], at["y"])
    mouse(browser, "mousePressed", at["x"], at["y"], button="left", clickCount=1)
    mouse(browser, "mouseReleased", at["x"], at["y"], button="left", clickCount=1)


def key(browser, name):
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)


def size(browser, width, height=900, mobile=False):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
    # The page draws again a tenth of a second after its width has changed: two frames and that.
    browser.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250))")


def screenshot(browser, path):
    browser.evaluate("scrollTo(0, 0)")
    shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(shot["data"]))
    print(f"  {path}")


CANVASES = """(() => [...document.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 0) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    return colours.size;
}))()"""


def examine(browser, page, directory):
    for domain in ["Page", "Runtime", "Log", "Network"]:
        browser.call(f"{domain}.enable")
    size(browser, 1280)
    began = time.monotonic()
    browser.call("Page.navigate", url=page.as_uri())
    browser.wait("Page.loadEventFired")
    took = browser.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"  opened {page.stat().st_size / 1e6:.2f} MB in {took:.0f} ms of the page's own clock, {time.monotonic() - began:.1f} s in all")

    variants = browser.evaluate("JSON.parse(document.getElementById('data').textContent).variants.length")
    charts = browser.evaluate("[...document.querySelectorAll('section[data-chart]')].map((s) => s.dataset.chart)")
    drawn = browser.evaluate("document.documentElement.dataset.drawn")
    check("every chart's code ran", drawn == str(len(charts)), f"{drawn} of {len(charts)}: {', '.join(charts)}")
    colours = browser.evaluate(CANVASES)
    wanted = sum(1 if chart == "estimates" else variants for chart in charts if chart != "lanes")
    check("a canvas for each chart and variant", len(colours) == wanted, f"{len(colours)} of {wanted}")
    check("every canvas has been drawn on", all(n >= 3 for n in colours), min(colours, default=0))
    if "lanes" in charts:
        check("the cluster's lanes have spans", browser.evaluate("document.querySelectorAll('#lanes .track span').length") > variants)
    check("charts and buttons have names", browser.evaluate(
        "[...document.querySelectorAll('[role=img], button, select')].every((e) => (e.getAttribute('aria-label') ?? e.textContent).trim())"))

    if variants > 1:
        visible = "[...document.querySelectorAll('[data-variant=\"0\"]')].filter((e) => e.offsetParent).length"
        before = browser.evaluate(visible)
        click(browser, "[data-shows='0']")
        check("a click takes a variant away", browser.evaluate(visible) == 0, f"{before} elements")
        click(browser, "[data-shows='0']")
        check("another brings it back", browser.evaluate(visible) == before)
        check("and it is drawn again", len(browser.evaluate(CANVASES)) == wanted)

    # A scenario of limits beside the pool has no service, and so no percentiles.
    first = "percentiles" if "percentiles" in charts else charts[0]
    click(browser, f"#{first} .legend button")
    check("a click takes a line away", browser.evaluate(f"document.querySelector('#{first} .legend button').getAttribute('aria-pressed')") == "false")
    click(browser, f"#{first} .legend button")

    read = f"document.querySelector('#{first} .read').textContent"
    idle = browser.evaluate(read)
    browser.evaluate(f"document.querySelector('#{first} .plot').focus()")
    key(browser, "End")
    check("the arrow keys read values", browser.evaluate(read) != idle, browser.evaluate(read)[:60])
    at = middle(browser, f"#{first} .u-over")
    mouse(browser, "mouseMoved", at["x"], at["y"])
    sign = "%" if first == "percentiles" else ":"
    check("the pointer reads values", browser.evaluate(read) != idle and sign in browser.evaluate(read), browser.evaluate(read)[:60])

    over_time = [chart for chart in charts if chart not in ("percentiles", "estimates", "lanes")]
    if over_time:
        browser.evaluate("""(() => {
            window.madeAgain = 0;
            const made = (records) => { for (const r of records) window.madeAgain += [...r.addedNodes].filter((n) => n.classList?.contains("uplot")).length; };
            new MutationObserver(made).observe(document.body, { childList: true, subtree: true });
        })()""")
        at = middle(browser, f"#{over_time[0]} .u-over")
        left, right = at["left"] + at["width"] * 0.25, at["left"] + at["width"] * 0.6
        mouse(browser, "mouseMoved", left, at["y"])
        mouse(browser, "mousePressed", left, at["y"], button="left", clickCount=1)
        for part in range(1, 6):
            mouse(browser, "mouseMoved", left + (right - left) * part / 5, at["y"], button="left", buttons=1)
        mouse(browser, "mouseReleased", right, at["y"], button="left", clickCount=1)
        panels = ", ".join(f"#{chart} .panel" for chart in over_time)
        windows = f"[...new Set([...document.querySelectorAll('{panels}')].map((p) => `${{p.dataset.low}} to ${{p.dataset.high}}`))]"
        browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        zoomed = browser.evaluate(windows)
        check("all charts over time share one zoom", len(zoomed) == 1 and not zoomed[0].startswith("0 "), zoomed)
        made, charted = browser.evaluate(f"[window.madeAgain, document.querySelectorAll('{panels}').length]")
        check("for which each is made again once", made == charted, f"{made} for {charted}")
        click(browser, "#reset")
        check("and one way back", browser.evaluate("document.getElementById('reset').hidden"))

    for chart in charts:
        browser.evaluate(f"document.querySelector('#{chart} details').open = true")
        browser.evaluate("new Promise((done) => setTimeout(done, 0))")
        rows = browser.evaluate(f"document.querySelectorAll('#{chart} details tbody tr').length")
        check(f"the table under {chart} has rows", rows > 0, rows)
        browser.evaluate(f"document.querySelector('#{chart} details').open = false")

    screenshot(browser, directory / "page-1280.png")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    size(browser, 1281)
    screenshot(browser, directory / "page-dark.png")
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    size(browser, 360, 800, mobile=True)
    wide = browser.evaluate("document.documentElement.scrollWidth")
    check("nothing is wider than a window of 360 pixels", wide <= 360, wide)
    screenshot(browser, directory / "page-360.png")
    size(browser, 1280)
    # On paper two panels share 718 pixels, which the layout of the window does not say: the page has to know it.
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    widest = browser.evaluate("Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().width))")
    check("on paper every chart is within half a page", widest <= 345, widest)
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
    (directory / "page.pdf").write_bytes(pdf)
    check("it prints", pdf.startswith(b"%PDF") and len(pdf) > 20_000, f"{len(pdf) / 1e3:.0f} kB")

    told = [e["params"] for e in browser.events if e.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]
    check("nothing was written to the console", not told, json.dumps(told)[:300] if told else "")
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    strangers = [url for url in asked if url != page.as_uri() and not url.startswith("data:")]
    check("nothing was asked of a network or of another file", not strangers and page.as_uri() in asked, strangers or "")


def picture(browser, page, selector, path, width):
    browser.call("Page.enable")
    size(browser, width)
    browser.call("Page.navigate", url=page.as_uri())
    browser.wait("Page.loadEventFired")
    browser.evaluate("document.head.append(Object.assign(document.createElement('style'), { textContent: '.read { display: none !important }' }))")
    size(browser, width)
    box = browser.evaluate(f"""(() => {{
        const boxes = [...document.querySelectorAll({json.dumps(selector)})].map((e) => e.getBoundingClientRect());
        const low = (key) => Math.min(...boxes.map((b) => b[key]));
        const high = (key) => Math.max(...boxes.map((b) => b[key]));
        return {{ x: low("left") + scrollX, y: low("top") + scrollY, width: high("right") - low("left"), height: high("bottom") - low("top") }};
    }})()""")
    shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip={**box, "scale": 1})
    pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))


def main():
    page = pathlib.Path(sys.argv[1]).resolve()
    wants_picture = sys.argv[2:3] == ["--picture"]
    directory = pathlib.Path("." if wants_picture or len(sys.argv) < 3 else sys.argv[2]).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        print("SKIPPED: there is no Chromium (Debian: apt-get install chromium)")
        sys.exit(77)
    # Spare descriptors, so that the pipe's own ends are above 4.
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            if wants_picture:
                picture(browser, page, sys.argv[3], sys.argv[4], int((sys.argv[5:] or ["1100"])[0]))
            else:
                print(f"{page.name}:")
                examine(browser, page, directory)
        finally:
            browser.close()
    for descriptor in spare:
        os.close(descriptor)
    if FAILED:
        print(f"{len(FAILED)} of the page's checks failed")
        sys.exit(1)


if __name__ == "__main__":
    main()
