"""A headless browser for the tests: the text of a page, and a picture of it that is kept."""

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from tests.settings import ROOT

SCREENSHOTS = Path(os.environ.get("TEST_ARTIFACTS", ROOT / "test-artifacts")) / "screenshots"
"""Where pictures are kept, for a person to look at; not in git."""
VIRTUAL_MS = 20_000
"""How long scripts of a page may run on the page's own clock, which stands still while it waits
for the server."""


class Page:
    """A page as the browser renders it.

    Attributes:
        html: of the document, after its scripts have run.
        text: that a person reads, each run of white space as one blank.
    """

    def __init__(self, html: str) -> None:
        self.html = html
        self.text = _text_of(html)

    def pictures(self) -> list[str]:
        """Returns the addresses of the pictures in descriptions."""
        found = re.findall(r'<img[^>]* src="([^"]*get-artifact[^"]*)"', self.html)
        return [address.replace("&amp;", "&") for address in found]


def open_page(address: str, name: str, profile: Path, height: int = 1800) -> Page:
    """Opens a page and keeps a picture of it.

    Args:
        address: of the page.
        name: of the picture.
        profile: folder for the browser's own files.
        height: of the window [pixels].
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    picture = SCREENSHOTS / f"{name}.png"
    picture.unlink(missing_ok=True)
    command = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--hide-scrollbars", f"--user-data-dir={profile}"),
        *(f"--window-size=1400,{height}", f"--virtual-time-budget={VIRTUAL_MS}"),
        *(f"--screenshot={picture}", "--dump-dom", address),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert picture.stat().st_size > 10_000, "an empty page"
    return Page(done.stdout)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style")
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join("".join(parser.parts).split())
