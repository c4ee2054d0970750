"""Hidden and private apps, and aliases, leak nowhere: every address of the pages and of the Data API is asked."""

import io
import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from tests.analytics.rig import Rig, Use, days_before
from tests.web.rig import ALIAS, CLINE, HIDDEN, HOSTILE, NIGHT, PRIVATE, UNSEEN, SmallBoard, fill
from tokenboard.web.charts import Renderer
from tokenboard.web.pages import PAGES, RESOURCES
from tokenboard.web.pages.share_images import app_picture, model_picture, ranking_picture
from tokenboard.web.request import PageRequest

BURIED = "https://buried-birch.example"
"""A hidden alias of a shown app."""
FOLLOWER = "https://follower-fern.example"
"""An alias of a hidden app."""
NEVER = (*UNSEEN, "Buried Birch", "buried-birch", "Follower Fern", "follower-fern")
UNKNOWN = 999_999
SHOWN = (CLINE, NIGHT, HOSTILE)
GONE = (HIDDEN, PRIVATE, ALIAS, BURIED, FOLLOWER)
QUERIES = (
    "",
    "period=month&sort=trending",
    "metric=requests&subcategory=game&tab=apps",
    "q=e&sort=name&period=day",
    "category=entertainment&sort=newest",
    "start_date=2026-01-01&end_date=2026-04-14&tab=apps",
    "period=nonsense",
)
MODELS = ("openai/gpt-4o", "plain", "nobody/unheard-of")
INERT = {"/generation", "/key", "/readyz", "/readyz/gateway"}
"""Routes of the API that tell nothing of apps, and need parts which this board is made without."""


@pytest.fixture(scope="module")
def small(rig: Rig, renderer: Renderer) -> SmallBoard:
    """Return the small board with aliases on both sides of what is hidden, and a hidden app that overtakes."""
    fill(rig)
    rig.use(
        Use(BURIED, days_before(3), prompt=55_000, title="Buried Birch", categories=("game",)),
        Use(FOLLOWER, days_before(2), prompt=45_000, title="Follower Fern", categories=("game",)),
        *(Use(HIDDEN, days_before(back), prompt=9_000 * (30 - back), title="Hidden Hexagon") for back in range(1, 30)),
        *(Use(NIGHT, days_before(back), prompt=100_000, title="Nightshift 🌙") for back in range(1, 30)),
    )
    rig.catalog.merge(rig.ids[BURIED], rig.ids[CLINE], "test")
    rig.catalog.hide(rig.ids[BURIED], "test")
    rig.catalog.merge(rig.ids[FOLLOWER], rig.ids[HIDDEN], "test")
    rig.rankings.refresh()
    return SmallBoard(rig, renderer)


def addresses(small: SmallBoard) -> Iterator[str]:
    """Yield every address of the pages, of twins and of what is drawn, for every app and model, with every query."""
    for page in PAGES:
        stem = "/index" if page.path == "/" else page.path
        paths = [page.path, *(f"{stem}.{form}" for form in page.forms)]
        yield from (with_query(path, query) for path in paths for query in QUERIES)
    for drawing in RESOURCES:
        yield from (with_query(drawing.path, query) for query in QUERIES[:2])
    yield "/nothing/there"


def with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def filled(address: str, small: SmallBoard) -> list[str]:
    """Return an address for every app, shown or not, and every model that it may be about."""
    if "{app_id" in address:
        numbers = [*small.ids.values(), UNKNOWN]
        return [re.sub(r"\{app_id(:int)?\}", str(number), address) for number in numbers]
    if "{model" in address:
        return [address.replace("{model:path}", quote(model)) for model in MODELS]
    return [address]


def texts(answer: Any) -> str:
    """Return all that an answer says, its headers included."""
    body = answer.content
    if body[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(body))
        told = f"{table.to_pylist()} {table.schema.metadata}"
    else:
        told = body.decode("utf-8", "replace")
    return f"{answer.headers} {told}"


def leaks(small: SmallBoard, told: str) -> list[str]:
    """Return what may not be told: names and hosts, also escaped, and addresses of apps that are not shown."""
    shown = {small.ids[url] for url in SHOWN}
    names = [name for name in NEVER if name.casefold() in told.casefold() or quote(name) in told]
    return names + [number for number in re.findall(r"/apps/(\d+)", told) if int(number) not in shown]


def numbers(document: Any) -> Iterator[int]:
    """Yield every app's number in a document."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in {"app_id", "asked_app_id"} and isinstance(value, int):
                yield value
            yield from numbers(value)
    elif isinstance(document, list):
        for value in document:
            yield from numbers(value)


def test_no_page_twin_or_drawing_tells_of_what_may_not_be_shown(small: SmallBoard) -> None:
    shown = {small.ids[url] for url in SHOWN}
    found, asked, whole = {}, 0, 0
    for pattern in addresses(small):
        for address in filled(pattern, small):
            answer = small.web.get(address, headers={"Accept": "text/html"})
            assert answer.status_code in {200, 301, 400, 404}, address
            asked += 1
            whole += answer.status_code == 200
            told = leaks(small, texts(answer))
            if answer.headers.get("content-type") == "application/json" and answer.status_code == 200:
                told += [str(number) for number in numbers(answer.json()) if number not in shown]
            if told:
                found[address] = told
    assert {} == found
    # The walk is one: what it asks for is there, for the most part.
    assert whole > asked / 3 > 100


def test_share_images_and_what_they_say_tell_of_nothing_hidden(small: SmallBoard) -> None:
    services = small.services()
    queries: tuple[tuple[tuple[str, str], ...], ...] = (
        (),
        (("period", "month"), ("subcategory", "game")),
        (("sort", "trending"),),
    )
    told = []
    for query in queries:
        pictures = [ranking_picture(services, PageRequest("/share/rankings.png", {}, query))]
        pictures += [
            app_picture(services, PageRequest("/share/apps/1.png", {"app_id": str(small.ids[url])}, query))
            for url in SHOWN
        ]
        pictures += [model_picture(services, PageRequest("/", {"model": model}, query)) for model in MODELS[:2]]
        told += [f"{picture.texts} {picture.title} {picture.description} {picture.svg}" for picture in pictures]
    assert [] == leaks(small, " ".join(told))


@pytest.mark.parametrize("gone", [HIDDEN, PRIVATE, FOLLOWER, BURIED])
def test_what_may_not_be_shown_is_answered_like_what_never_was(small: SmallBoard, gone: str) -> None:
    patterns = [page.path for page in PAGES if "{app_id" in page.path]
    patterns += [f"{page.path}.{form}" for page in PAGES if "{app_id" in page.path for form in page.forms]
    patterns += [drawing.path for drawing in RESOURCES if "{app_id" in drawing.path]
    for pattern in patterns:
        given, never = (
            small.web.get(re.sub(r"\{app_id(:int)?\}", str(number), pattern), headers={"Accept": "text/html"})
            for number in (small.ids[gone], UNKNOWN)
        )
        assert 404 == given.status_code, pattern
        assert given.content == never.content, pattern


@pytest.mark.parametrize("gone", GONE)
def test_searching_for_what_may_not_be_shown_finds_what_a_word_of_nobody_finds(small: SmallBoard, gone: str) -> None:
    host = gone.removeprefix("https://")
    nobody = "x" * len(host.removesuffix(".example")) + ".example"
    for ending, name in product(("", ".json", ".csv"), ("q", "url")):
        if name == "url" and gone == ALIAS:
            continue  # it is the way to its app
        given, never = (
            small.web.get(f"/apps{ending}", params={name: asked}, headers={"Accept": "text/html"})
            for asked in (host, nobody)
        )
        if gone == ALIAS and given.status_code == 302:
            assert f"/apps/{small.ids[CLINE]}{ending}" == given.headers["location"]
            continue
        assert given.status_code == never.status_code, (ending, name)
        assert given.text.replace(host, "HOST") == never.text.replace(nobody, "HOST"), (ending, name)


def test_a_name_searched_for_in_part_finds_nothing_hidden(small: SmallBoard) -> None:
    for name in NEVER:
        for end in range(3, len(name) + 1):
            rows = small.twin(f"/apps.json?q={quote(name[:end])}&period=month")["data"]
            assert {row["app_id"] for row in rows} <= {small.ids[url] for url in SHOWN}, name[:end]


def test_what_is_hidden_now_is_gone_from_every_page_that_was_kept(small: SmallBoard) -> None:
    number = small.ids[NIGHT]
    kept = ["/", "/rankings", "/apps", "/models/openai/gpt-4o?tab=apps", "/charts/rankings.svg", "/feeds/apps.atom"]
    kept += ["/index.json", "/rankings.csv", "/apps.json", "/share/rankings.png"]
    before = {address: small.web.get(address).content for address in kept}
    assert all(b"Nightshift" in body for address, body in before.items() if not address.endswith(".png"))
    small.rig.catalog.hide(number, "test")
    try:
        for address in kept:
            answer = small.web.get(address)
            assert (200, False) == (answer.status_code, b"Nightshift" in answer.content), address
            assert before[address] != answer.content
        for address in (f"/apps/{number}", f"/apps/{number}.csv", f"/feeds/apps/{number}.atom"):
            assert 404 == small.web.get(address).status_code, address
    finally:
        small.rig.catalog.publish(number, "test")


# --- the Data API ---------------------------------------------------------------------------------------------------


def test_the_data_api_tells_a_reader_of_nothing_hidden(small: SmallBoard) -> None:
    client = small.rig.client
    document = client.get("/api/v1/openapi.json")
    assert [] == leaks(small, document.text)
    shown = {small.ids[url] for url in (*SHOWN, ALIAS)}
    month = f"start_date={days_before(30)}&end_date={days_before(1)}"
    queries = ("", month, f"{month}&include=url,categories,previous,split,trend,history,totals", f"{month}&format=csv")
    whole = 0
    for path, methods in document.json()["paths"].items():
        if "get" not in methods or path in INERT:
            continue
        for query in (*queries, "q=e&sort=name", "url=https://hidden-hexagon.example", "sort=nonsense"):
            pattern = path.replace("{author}/{slug}", quote(MODELS[0])).replace("{app_id}", "{app_id:int}")
            prefix = "" if path in {"/healthz", "/readyz", "/readyz/gateway"} else "/api/v1"
            for address in filled(pattern, small):
                answer = client.get(prefix + with_query(address, query))
                whole += answer.status_code == 200
                assert answer.status_code in {200, 400, 403, 404}, (address, query, answer.text)
                told = names_told(answer, asked=query)
                assert [] == told, (address, query)
                if "json" in answer.headers["content-type"] and answer.status_code == 200:
                    given = [int(part) for part in re.findall(r"/apps/(\d+)", address)]
                    assert set(numbers(answer.json())) <= shown | set(given), (address, query)
    assert whole > 30


def names_told(answer: Any, *, asked: str) -> list[str]:
    """Return names that may not be told; shown aliases of a shown app are part of what the API tells of it."""
    told = answer.text
    if answer.status_code == 200 and "json" in answer.headers["content-type"]:
        document = answer.json()
        if isinstance(document.get("data"), dict):
            document["data"]["aliases"] = [each for each in document["data"].get("aliases", ()) if each["url"] != ALIAS]
        told = json.dumps(document, ensure_ascii=False)
    own = asked.partition("https://")[2]
    return [name for name in NEVER if name in (told.replace(own, "") if own else told)]
