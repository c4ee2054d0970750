"""A search finds a name however its letters are composed: on pages, in the Data API and in the Admin API."""

import unicodedata
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from tests.api.operator import Operator
from tests.board import BoardProcess, now_text, today

COMPOSED: Callable[[str], str] = partial(unicodedata.normalize, "NFC")
TAKEN_APART: Callable[[str], str] = partial(unicodedata.normalize, "NFD")
WORDS = ("Café", "CAFÉ", "größe", "한글", "ḍ̇")


@pytest.fixture(scope="module")
def named(board: BoardProcess, key: str) -> Iterator[Callable[[str], list[list[str]]]]:
    """Let two apps and a model be used; return what finds names of theirs, in each place that searches."""
    client = httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    site = f"{uuid.uuid4().hex[:12]}.example"
    operator = Operator(board, client, site)
    operator.use(f"https://one.{site}", title=TAKEN_APART("Café Größe 한글 Ḍ̇"))
    operator.use(f"https://two.{site}", title="Cafe Grosse")

    def find(word: str) -> list[list[str]]:
        page = client.get("/apps.json", params={"q": word}).json()["data"]
        api = client.get("/api/v1/apps", params={"search": word}).json()["data"]
        admin = client.get("/api/v1/admin/apps", params={"search": word}).json()["data"]
        return [[each["url"] for each in rows if site in each["url"]] for rows in (page, api, admin)]

    yield lambda word: [[url.replace(f".{site}", "") for url in urls] for urls in find(word)]
    client.close()


@pytest.mark.parametrize("write", [COMPOSED, TAKEN_APART], ids=["composed", "taken apart"])
@pytest.mark.parametrize("word", WORDS)
def test_a_word_finds_the_app_composed_or_not(
    named: Callable[[str], list[list[str]]], word: str, write: Callable[[str], str]
) -> None:
    assert [["https://one"]] * 3 == named(write(word))


def test_a_model_is_found_composed_or_not(board: BoardProcess, client: httpx.Client) -> None:
    name = f"théo/modèle-{uuid.uuid4().hex[:8]}"
    event = {"id": name, "ts": now_text(), "model": TAKEN_APART(name), "prompt_tokens": 1, "completion_tokens": 0}
    assert 202 == client.post("/api/v1/usage", json=[event]).status_code
    board.wait_until_counted()
    for word in (COMPOSED(name), TAKEN_APART(name.upper())):
        days = {"start_date": str(today()), "end_date": str(today())}
        rows = client.get("/models.json", params={"q": word, **days}).json()["data"]["models"]
        assert [TAKEN_APART(name)] == [row["model"] for row in rows]
