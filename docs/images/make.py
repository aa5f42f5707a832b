"""Takes the pictures of docs/images anew, from the real demo: `make screenshots`.

Needs Chromium (with ChromeDriver) beside the packages of requirements.lock.
"""

from __future__ import annotations

import base64
import fcntl
import html
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pyte
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.support.browsing import find_browser

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COLUMNS, LINES = 80, 44
DEMO = ["-m", "pipelines.zoho_crm", "--demo"]
REPORT = ["-m", "pipelines.zoho_crm", "report", "--demo", "--output", "report.html"]
COLOURS = {
    "default": "#e8eaed", "green": "#7ee29b", "red": "#ff9b95", "brown": "#f5c768", "cyan": "#6fd3e0", "blue": "#83b8ff",
}  # fmt: skip
PAGE = """<meta charset="utf-8"><body style="margin:0;background:#14171c"><pre style="margin:0;padding:16px 18px;
width:fit-content;color:#e8eaed;font:14px/1.35 'DejaVu Sans Mono',monospace">{}</pre>"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        screen = run_on_terminal(folder, DEMO)
        (folder / "terminal.html").write_text(PAGE.format(as_html(screen)), encoding="utf-8")
        run_on_terminal(folder, DEMO)  # the second run brings what people changed meanwhile
        run_on_terminal(folder, REPORT)
        take(folder / "terminal.html", (720, 1000), HERE / "demo_80_columns.png", whole="pre")
        take(folder / "report.html", (1200, 780), HERE / "report_1200.png")
        take(folder / "report.html", (1200, 780), HERE / "report_1200_charts.png", top="#seats")
        take(folder / "report.html", (390, 1400), HERE / "report_390.png")


def run_on_terminal(folder: Path, words: list[str]) -> pyte.Screen:
    """What stands on a terminal of 80 columns when the command has ended."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    given = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "DLT_DATA_DIR": str(folder / "dlt"),
    }
    environment = folder / ".venv"  # its path is in the picture
    if not environment.exists():
        environment.symlink_to(sys.prefix)
    process = subprocess.Popen(
        [environment / "bin" / "python", *words],
        cwd=folder,
        env=given,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    while True:
        try:
            got = os.read(ours, 1 << 16)
        except OSError:  # Linux tells the end of a terminal so
            break
        if not got:
            break
        stream.feed(got)
    os.close(ours)
    if process.wait():
        raise SystemExit("\n".join(screen.display))
    return screen


def as_html(screen: pyte.Screen) -> str:
    lines = []
    for number in range(LINES):
        line = screen.buffer[number]
        cells = [line[column] for column in range(COLUMNS)]
        lines.append("".join(_cell(cell) for cell in cells).rstrip())
    return "\n".join(lines).strip("\n")


def _cell(cell: pyte.screens.Char) -> str:
    text = html.escape(cell.data)
    if cell.fg == "default" and not cell.bold:
        return text
    colour = COLOURS.get(cell.fg, COLOURS["default"])
    return f'<span style="color:{colour};font-weight:{700 if cell.bold else 400}">{text}</span>'


def take(page: Path, size: tuple[int, int], file: Path, *, whole: str = "", top: str = "") -> None:
    """A page at a width: its top, what begins with an element (`top`), or all of one element (`whole`)."""
    found = find_browser()
    if found is None:
        raise SystemExit(
            "Chromium with ChromeDriver is not installed (Debian: apt-get install chromium chromium-driver)."
        )
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(executable_path=found[1]))
    try:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(page.as_uri())
        if whole:
            rectangle = browser.find_element("css selector", whole).rect
            clip = {**rectangle, "scale": 1}
        else:
            y = browser.find_element("css selector", top).rect["y"] - 20 if top else 0
            clip = {"x": 0, "y": y, "width": width, "height": height, "scale": 1}
        picture = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "clip": clip, "captureBeyondViewport": True}
        )
    finally:
        browser.quit()
    file.write_bytes(base64.b64decode(picture["data"]))
    print(f"{file.name}: {file.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
