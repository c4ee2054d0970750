"""The pages as readers meet them: time to the first byte, bytes, and time to the first paint in a browser."""

import gzip
import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import httpx
from playwright.sync_api import sync_playwright
from tests.board import BoardProcess, now_text, running_board, today
from tests.browser.chromium import ABSENT, arguments, find_chromium

from benchmarks.table import Table, milliseconds

_WARM = 40
_COLD = 3
_PAINTS = 5
_SEED_WITHIN_S = 300


class _Reader:
    """One kept connection to the board; times are seconds from the request's first byte to the answer's."""

    def __init__(self, board: BoardProcess) -> None:
        parts = urlsplit(board.url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)

    def read(self, address: str) -> tuple[float, bytes]:
        begun = time.perf_counter()
        self._connection.request("GET", address, headers={"Accept": "text/html"})
        answer = self._connection.getresponse()
        waited = time.perf_counter() - begun
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{address} was answered {answer.status}")
        return waited, body


def tables() -> Iterator[Table]:
    """Seed the demo year, serve it, and read every kind of page."""
    columns = ("Pages", "first byte, warm", "first byte, cold", "worst of cold", "HTML", "gzipped", "first paint")
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder:
        data = Path(folder, "data")
        subprocess.run(
            BoardProcess(data).command("seed"), check=True, timeout=_SEED_WITHIN_S, stdout=subprocess.DEVNULL
        )
        # What is cold here is the page alone: the drain that never rests only makes the waiting for it shorter.
        with running_board(data, module="tests.brisk") as board:
            key = board.make_key("ingest")
            board.wait_until_counted()
            addresses = _addresses(board)
            paints = _paints(board, addresses)
            rows = tuple(
                (f"`{name}`", *_served(board, key, address), paint)
                for (name, address), paint in zip(addresses, paints, strict=True)
            )
    yield Table(
        columns[0],
        f"Every kind of page of the demo year (`make demo`), over one kept connection. Warm: the median of {_WARM} "
        f"requests. Cold: of {_COLD}, each the first one after new usage has changed all figures, nothing kept from "
        f"before. First paint: first contentful paint in Chromium, its cache empty, the median of {_PAINTS}.",
        columns,
        rows,
    )


def _addresses(board: BoardProcess) -> list[tuple[str, str]]:
    found = httpx.get(f"{board.url}/rankings.json", timeout=30).json()["data"]
    app, model = found["apps"][0]["app_id"], found["models"][0]["model"]
    last = today() - timedelta(days=1)
    year = f"start_date={last - timedelta(days=364)}&end_date={last}"
    path = f"/models/{quote(model)}"
    return [
        ("/", "/"),
        ("/rankings", "/rankings"),
        ("/rankings, trending, a month", "/rankings?sort=trending&period=month"),
        ("/rankings, a year", f"/rankings?{year}"),
        ("/apps", "/apps"),
        ("/apps?q=", "/apps?q=example"),
        ("/apps/{app_id}", f"/apps/{app}"),
        ("/apps/{app_id}, a year", f"/apps/{app}?{year}"),
        ("/models", "/models"),
        ("/models/{model}", path),
        ("/models/{model}?tab=apps", f"{path}?tab=apps"),
        ("/docs", "/docs"),
        ("/docs/attribution", "/docs/attribution"),
    ]


def _served(board: BoardProcess, key: str, address: str) -> tuple[str, ...]:
    reader = _Reader(board)
    cold = []
    for _ in range(_COLD):
        _change(board, key)
        cold.append(reader.read(address)[0])
    warm = [reader.read(address)[0] for _ in range(_WARM)]
    body = reader.read(address)[1]
    sizes = (len(body), len(gzip.compress(body, 6)))
    return (
        milliseconds(median(warm)),
        milliseconds(median(cold)),
        milliseconds(max(cold)),
        *(f"{size / 1000:.1f} KB" for size in sizes),
    )


def _change(board: BoardProcess, key: str) -> None:
    """Let one more request be counted, and return once it is: nothing of what was kept holds any more."""
    event = {
        "id": f"bench-{time.perf_counter_ns()}",
        "ts": now_text(),
        "referer": "https://bench.example",
        "title": "Bench",
        "model": "bench/model",
        "prompt_tokens": 1,
        "completion_tokens": 1,
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    httpx.post(f"{board.url}/api/v1/usage", content=json.dumps([event]), headers=headers, timeout=30).raise_for_status()
    board.wait_until_counted()


def _paints(board: BoardProcess, addresses: Sequence[tuple[str, str]]) -> list[str]:
    path = find_chromium()
    if path is None:
        return [ABSENT, *["—"] * (len(addresses) - 1)]
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments())
        for _, address in addresses:
            times = []
            for _ in range(_PAINTS):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                page.goto(board.url + address, wait_until="load")
                times.append(page.evaluate(_PAINTED) / 1000)
                context.close()
            found.append(milliseconds(median(times)))
        browser.close()
    return found


_PAINTED = """() => new Promise((painted) => new PerformanceObserver((list) => {
  const entry = list.getEntriesByName("first-contentful-paint")[0];
  if (entry) painted(entry.startTime);
}).observe({type: "paint", buffered: true}))"""
