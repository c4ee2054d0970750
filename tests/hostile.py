"""Requests of somebody without a key who means harm: every public address, with whatever fits into a request."""

import http.client
import random
import re
import string
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx

from tests.board import BoardProcess
from tokenboard.web.pages import PAGES, RESOURCES

_KNOWN = {
    "period": ("day", "week", "month", "today", "x"),
    "sort": ("popular", "trending", "name", "newest"),
    "metric": ("tokens", "requests"),
    "category": ("coding", "creative", "nothing"),
    "subcategory": ("cli-agent", "game"),
    "tab": ("overview", "apps"),
    "size": ("wide", "half", "phone"),
    "style": ("flat", "flat-square"),
    "format": ("json", "csv", "parquet", "xml"),
}
_RUBBISH = (
    "%00",
    "%ff%fe",
    "..%2f..%2f",
    "9" * 5_000,
    "-1",
    "1e9",
    "%F0%9F%8C%99",
    "%0d%0aX-Evil:%201",
    "\\",
    "'",
    "null",
)
_HOSTS = ("evil.example", "localhost:1", "[::1]", "a" * 500, "board.example@evil.example", "evil.example:99999")
_METHODS = ("GET",) * 16 + ("HEAD", "POST", "OPTIONS", "PUT", "DELETE")
_LONGEST_QUERY = 1_990
_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Request:
    """What goes over the wire: ``target`` is a path with its query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass
class Tally:
    """What came back: answers by status, and requests that broke their connection."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return self.statuses.total()


def public_addresses(board: BoardProcess) -> list[str]:
    """Return every address there is, parameters in braces: of pages and what is drawn, and of the API's document."""
    found = ["/session", "/session/end", "/static/{name}", "/docs/api/try", "/docs/api/try/assets/{name}", "/nothing"]
    found += ["/internal/counters", "/internal/usage", "/internal/audit", "/v1/models", "/v1/chat/completions"]
    for page in PAGES:
        stem = "/index" if page.path == "/" else page.path
        found += [page.path, *(f"{stem}.{form}" for form in page.forms)]
    found += [drawing.path for drawing in RESOURCES]
    document = httpx.get(f"{board.url}/api/v1/openapi.json", timeout=30).json()
    found += [
        path if path in {"/healthz", "/readyz", "/readyz/gateway"} else f"/api/v1{path}" for path in document["paths"]
    ]
    return sorted({path.replace(":path}", "}").replace(":int}", "}") for path in found})


def spoiled(addresses: list[str], key: str = "") -> Iterator[Request]:
    """Yield a request for every address with each piece of rubbish as its part and as the value of a parameter."""
    for pattern in addresses:
        for rubbish in _RUBBISH:
            path = rubbish.join(re.split(r"\{[^}]*\}", pattern))
            yield Request(
                "GET",
                f"{path}?offset={rubbish[:900]}&q={rubbish[:900]}",
                (("Host", "evil.example"), *_credentials(key)),
            )


def _credentials(key: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {key}")] if key else []


class Enemy:
    """Invents requests, the same for the same seed.

    ``days`` says whether they ask for windows of their own, too; ``key`` is a key that they come with.
    """

    def __init__(self, addresses: list[str], seed: int, *, days: bool = True, key: str = "") -> None:
        self._addresses = addresses
        self._random = random.Random(seed)
        self._days = days
        self._key = key

    def requests(self, count: int) -> Iterator[Request]:
        """Yield so many requests."""
        for _ in range(count):
            yield self._request()

    def _request(self) -> Request:
        chance = self._random
        method = chance.choice(_METHODS)
        path = self._path(chance.choice(self._addresses))
        if chance.random() < 0.05:
            path += "/"
        query = self._query()
        body = b""
        headers = self._headers()
        if method in {"POST", "PUT"}:
            body, kind = self._body()
            headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        return Request(method, f"{path}?{query}" if query else path, tuple(headers), body)

    def _path(self, pattern: str) -> str:
        while "{" in pattern:
            before, _, rest = pattern.partition("{")
            _, _, after = rest.partition("}")
            pattern = before + self._part() + after
        return pattern

    def _part(self) -> str:
        chance = self._random
        kind = chance.random()
        if kind < 0.5:
            return str(chance.randrange(1, 9))
        if kind < 0.7:
            return str(chance.randrange(2**31))
        if kind < 0.8:
            return quote("openai/gpt-4o")
        return quote(self._word(300), safe="") if kind < 0.9 else chance.choice(_RUBBISH)

    def _query(self) -> str:
        chance = self._random
        given: list[tuple[str, str]] = []
        for name, values in _KNOWN.items():
            if chance.random() < 0.1:
                given.append((name, chance.choice(values)))
        if chance.random() < 0.2:
            given.append((chance.choice(("q", "search", "url", "title", "offset", "limit")), self._word(150)))
        if self._days and chance.random() < 0.15:
            end = date(2026, 1, 1) + timedelta(days=chance.randrange(365))
            given += [("start_date", str(end - timedelta(days=chance.randrange(365)))), ("end_date", str(end))]
        if chance.random() < 0.5:
            # Many short parameters weigh most in whatever keeps them apart.
            most = max(_LONGEST_QUERY - len(urlencode(given)), 0) // 4
            given += [(self._word(2), "") for _ in range(most if chance.random() < 0.5 else chance.randrange(most + 1))]
        chance.shuffle(given)
        query = urlencode(given)
        return query if chance.random() < 0.95 else f"{query}&{chance.choice(_RUBBISH)}"

    def _headers(self) -> list[tuple[str, str]]:
        chance = self._random
        host = chance.choice(_HOSTS) if chance.random() < 0.3 else f"{self._word(40)}.example"
        found = [("Host", host)]
        fields: dict[str, Callable[[], str]] = {
            "Accept": lambda: chance.choice(("text/html", "*/*", "text/csv;q=0.5", '"', f"a/{self._word(200)}")),
            "Accept-Encoding": lambda: chance.choice(("gzip", "br;q=x", "*;q=0", '",,,"' * 50)),
            "Accept-Language": lambda: self._word(50),
            "Authorization": lambda: f"{chance.choice(('Bearer', 'Basic', ''))} {self._word(600)}",
            "Cookie": lambda: f"tokenboard_session={self._word(500)}; {self._word(9)}={self._word(200)}",
            "HTTP-Referer": lambda: f"https://{self._word(60)}.example/{self._word(90)}",
            "If-None-Match": lambda: chance.choice(("*", f'"{self._word(32)}"', '"' * 300)),
            "Range": lambda: f"bytes={self._word(20)}",
            "User-Agent": lambda: self._word(200),
            "X-Forwarded-Host": lambda: f"{self._word(30)}.example",
            "X-Title": lambda: self._word(300),
            "X-Tokenboard-Nudge": lambda: self._word(40),
        }
        if self._key:
            del fields["Authorization"]
        found += _credentials(self._key)
        found += [(name, value()) for name, value in fields.items() if chance.random() < 0.3]
        found += [(f"X-{self._word(20)}", self._word(100)) for _ in range(chance.randrange(4))]
        return found

    def _body(self) -> tuple[bytes, str]:
        chance = self._random
        kind = chance.randrange(5)
        if kind == 0:
            fields = [(self._word(5), self._word(20)) for _ in range(chance.randrange(40))]
            return urlencode(fields).encode(), "application/x-www-form-urlencoded"
        if kind == 1:
            return urlencode(
                {"key": self._word(900), "next": self._word(900)}
            ).encode(), "APPLICATION/X-www-form-urlencoded"
        if kind == 2:
            return b"[" * chance.randrange(5_000), "application/json"
        if kind == 3:
            return b'{"model": "' + self._word(190).encode() + b'", "n": ' + b"9" * 5_000 + b"}", "application/json"
        return chance.randbytes(chance.randrange(3_000)), chance.choice(("application/json", "text/plain", "", ";;"))

    def _word(self, longest: int) -> str:
        return "".join(self._random.choices(_LETTERS, k=self._random.randrange(1, longest + 1)))


def assault(board: BoardProcess, attacks: Iterable[Iterable[Request]]) -> Tally:
    """Carry all attacks out at one time, each over kept connections; return what came back."""
    tally, lock = Tally(), threading.Lock()

    def ask(requests: Iterable[Request]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", board.port, timeout=60)
        for request in requests:
            try:
                connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers:
                    connection.putheader(name, value)
                connection.endheaders(request.body or None)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                # The board closes the connection on what is no HTTP; the next request takes a new one.
                connection.close()
                with lock:
                    tally.broken += 1
                continue
            with lock:
                tally.statuses[answer.status] += 1
                if answer.status >= 500 and answer.status != 503:
                    tally.faults.append(f"{answer.status} {request.method} {request.target[:300]} {request.headers}")
        connection.close()

    given = list(attacks)
    with ThreadPoolExecutor(len(given)) as callers:
        for asking in [callers.submit(ask, attack) for attack in given]:
            asking.result()
    return tally


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, as /proc tells anybody on its machine."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no process {pid}")
