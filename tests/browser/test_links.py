"""Every link of every kind of page leads somewhere, and no page is heavy."""

import re
from collections import Counter, deque
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tests.browser.conftest import Demo

HEAVIEST = 60_000
"""Bytes of HTML that a page may have."""

OF_A_KIND = 2
"""Addresses followed of each kind: paths that differ by their numbers and names, queries by their values, are one."""

_STARTS = ("/", "/docs")
_LINKS = {"href", "src", "action"}


class Links(HTMLParser):
    """Collects where a page leads, and what can be led to on it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        posted = tag == "form" and given.get("method", "get").lower() == "post"
        self.found += [given[name] for name in _LINKS & given.keys() if not posted]
        self.found += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        if given.get("property") == "og:image":
            self.found.append(given["content"])


@pytest.fixture(scope="module")
def crawled(demo: Demo) -> dict[str, httpx.Response]:
    """Return what the board answers from its start page and its docs on, some of every kind."""
    answers: dict[str, httpx.Response] = {}
    waiting, kinds = deque(_STARTS), Counter[str]()
    with httpx.Client(base_url=demo.url, timeout=30, headers={"Accept": "text/html,*/*"}) as client:
        while waiting:
            address = waiting.popleft()
            if address in answers:
                continue
            kinds[kind_of(address)] += 1
            if kinds[kind_of(address)] > OF_A_KIND:
                continue
            answers[address] = answer = client.get(address)
            if is_page(answer):
                waiting += links(demo, address, answer.text)
    return answers


def kind_of(address: str) -> str:
    """Return the address without what differs between apps, models and values."""
    parts = urlsplit(address)
    path = re.sub(r"/\d+", "/N", parts.path)
    path = re.sub(r"/models/.*?(?=(\.(svg|png|json|csv|parquet))?$)", "/models/M", path)
    return f"{path}?{'&'.join(sorted(name for name, _ in parse_qsl(parts.query)))}"


def is_page(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("text/html")


def links(demo: Demo, address: str, html: str) -> Iterator[str]:
    """Yield the addresses on this board that a page leads to."""
    parser = Links()
    parser.feed(html)
    for link in parser.found:
        parts = urlsplit(urljoin(demo.url + address, link))
        if parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" == demo.url:
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def test_every_link_leads_somewhere(crawled: dict[str, httpx.Response]) -> None:
    assert {} == {address: answer.status_code for address, answer in crawled.items() if answer.status_code >= 300}
    kinds = {kind_of(address) for address in crawled}
    assert {
        "/?",
        "/rankings?",
        "/apps?",
        "/apps/N?",
        "/models?",
        "/models/M?",
        "/models/M?tab",
        "/docs?",
        "/docs/attribution?",
        "/docs/api?",
        "/docs/api/admin?",
        "/docs/api/inference?",
        "/docs/api/try?",
        "/docs/api.json?",
        "/apps/N.json?",
        "/models/M.csv?",
        "/rankings.parquet?",
        "/charts/apps/N/models.svg?size",
        "/charts/models/M.svg?",
        "/badge/apps/N.svg?",
        "/share/apps/N.png?",
        "/feeds/apps.atom?",
        "/feeds/apps/N.atom?",
    } <= kinds


def test_every_place_on_a_page_that_a_link_names_is_there(crawled: dict[str, httpx.Response]) -> None:
    missing = []
    for address, answer in crawled.items():
        if is_page(answer):
            parser = Links()
            parser.feed(answer.text)
            missing += [
                (address, link) for link in parser.found if link.startswith("#") and link[1:] not in parser.anchors
            ]
    assert [] == missing


def test_no_page_is_heavy(crawled: dict[str, httpx.Response], demo: Demo) -> None:
    sizes = {address: len(answer.content) for address, answer in crawled.items() if is_page(answer)}
    year = "?start_date=" + str(demo.today.replace(year=demo.today.year - 1, day=1)) + f"&end_date={demo.today}"
    for path in ("/", "/rankings", "/apps", "/models", f"/apps/{demo.first}", *(f"/apps/{odd}" for odd in demo.odd)):
        sizes[path + year] = len(httpx.get(f"{demo.url}{path}{year}", timeout=30).content)
    assert len(sizes) > 30
    assert {} == {address: size for address, size in sizes.items() if size > HEAVIEST}


def test_links_to_other_hosts_are_plain_and_endorse_nobody(crawled: dict[str, httpx.Response], demo: Demo) -> None:
    outward = re.compile(r'<a [^>]*href="https?://(?!127\.0\.0\.1)[^>]*>')
    found = {link for answer in crawled.values() if is_page(answer) for link in outward.findall(answer.text)}
    assert [] == [link for link in found if 'rel="nofollow noopener"' not in link and "openrouter.ai" not in link]
