"""A page in the browser, watched: what it complained of, whom it asked, what it did not get."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response

# A drawing is fetched as its chart comes into view, then stands in the image's place.
_SHOW_CHARTS = """async () => {
  for (const chart of document.querySelectorAll("figure.chart")) {
    chart.scrollIntoView();
    await new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)));
  }
  scrollTo(0, 0);
}"""
_LOAD_IMAGES = """async () => {
  const failed = [];
  for (const image of document.images) {
    image.loading = "eager";
    // Decoding ends in an error, too, when another width or theme has just chosen another drawing: that one counts.
    let whole = false;
    for (let tries = 0; tries < 5 && !whole; tries += 1)
      whole = await image.decode().then(() => true, () => false);
    if (!whole) failed.push(image.currentSrc || image.src);
  }
  return failed;
}"""
# What sticks out although nothing around it may be scrolled or cuts it off.
_OVERFLOW = """() => {
  const room = document.documentElement.getBoundingClientRect().width;
  if (document.scrollingElement.scrollWidth <= room) return [];
  const kept = (node) => {
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return true;
    return false;
  };
  const out = [...document.body.querySelectorAll("*")].filter(
    (node) => node.getBoundingClientRect().right > room + 0.5 && !kept(node));
  return [`${document.scrollingElement.scrollWidth} > ${room}`, ...out.slice(0, 3).map(
    (node) => node.outerHTML.slice(0, 160))];
}"""


@dataclass
class Visit:
    """A page and what was noticed on it; ``faults`` are errors of the console, of scripts and of requests."""

    page: Page
    host: str
    expected: int
    faults: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def go(self, url: str) -> None:
        """Open an address and wait until all that it shows is there, charts included."""
        answer = self.page.goto(url, wait_until="load")
        assert answer is not None
        assert self.expected == answer.status, url

    def show_all(self, *, scripts: bool) -> None:
        """Bring every image and every chart in."""
        if scripts:
            self.page.evaluate(_SHOW_CHARTS)
            self.page.wait_for_selector("figure.chart img", state="detached")
        self.faults += [f"no image: {source}" for source in self.page.evaluate(_LOAD_IMAGES)]

    def overflow(self) -> list[str]:
        """Return what makes the page wider than the window; nothing when nothing does."""
        return [str(node) for node in self.page.evaluate(_OVERFLOW)]

    def heard(self, message: ConsoleMessage) -> None:
        """Keep an error or a warning, but for the one about the status that was expected."""
        told = message.type in {"error", "warning"}
        own = self.expected >= 400 and urlsplit(message.location["url"]).path == urlsplit(self.page.url).path
        if told and not own:
            self.faults.append(f"{message.type}: {message.text} ({message.location['url']})")

    def asked(self, request: Request) -> None:
        """Keep a request that goes to another host."""
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self.host:
            self.foreign.append(request.url)

    def missed(self, request: Request) -> None:
        """Keep a request without an answer; not an image that the browser gave up for one of another width or theme.

        What it chose in the end is looked at by `show_all`.
        """
        if not (request.resource_type == "image" and request.failure == "net::ERR_ABORTED"):
            self.faults.append(f"failed: {request.url} {request.failure}")

    def got(self, response: Response) -> None:
        """Keep an answer that is an error, of anything but the page itself."""
        if response.status >= 400 and not response.request.is_navigation_request():
            self.faults.append(f"{response.status}: {response.url}")


@contextmanager
def visiting(page: Page, base: str, status: int = 200) -> Iterator[Visit]:
    """Watch a tab until the end of the block; a tab is used again and again, as a new one costs more than a page."""
    visit = Visit(page, urlsplit(base).netloc, status)
    listeners: dict[Any, Any] = {
        "console": visit.heard,
        "pageerror": lambda error: visit.faults.append(f"script: {error}"),
        "request": visit.asked,
        "response": visit.got,
        "requestfailed": visit.missed,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        yield visit
    finally:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        page.unroute_all()
        # What this page has not fetched yet is not the next one's.
        page.goto("about:blank")
