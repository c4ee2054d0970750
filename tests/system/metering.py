"""What was metered of requests that an SDK sends: by ``/generation``, and by the app's place in the rankings."""

import itertools
from typing import Any

import httpx

from tests.board import today, wait_for
from tests.dialects import Counted
from tests.system.feed import eventually

CATEGORY = "audio-gen"
"""Of these tests' apps alone, so that a ranking of today holds no others."""

_numbers = itertools.count(1)


class Metering:
    """One test's requests: an app of its own for them, and the ids the board gave them, as their client heard them."""

    def __init__(self, client: httpx.Client) -> None:
        number = next(_numbers)
        self.url = f"https://sdk-{number}.example"
        self.name = f"SDK App {number}"
        self.headers = {
            "HTTP-Referer": self.url,
            "X-OpenRouter-Title": self.name,
            "X-OpenRouter-Categories": CATEGORY,
        }
        self.ids: list[str] = []
        self._client = client

    def note(self, response: Any) -> None:
        """Keep the id of an answer, if it has one; a hook of the HTTP client's."""
        self.ids += [value for name, value in response.headers.items() if name.lower() == "x-generation-id"]

    def generation(self, position: int = -1) -> dict[str, Any]:
        """Return what /generation says of a request, as soon as it is in the ledger."""
        return generation(self._client, self.ids[position])

    def usage(self) -> tuple[Any, ...]:
        """Return the last request's (source, prompt, completion, cached, reasoning)."""
        told = self.generation()
        names = ("usage_source", "native_tokens_prompt", "native_tokens_completion")
        return tuple(told[name] for name in (*names, "native_tokens_cached", "native_tokens_reasoning"))

    def ranked(self, tokens: int, requests: int = 1) -> None:
        """Pass once the app has these tokens and requests in today's ranking; none at all for no tokens."""
        day = str(today())
        query: dict[str, Any] = {"start_date": day, "end_date": day, "subcategory": CATEGORY, "limit": 100}

        def row() -> tuple[int, int]:
            rows = self._client.get("/api/v1/datasets/app-rankings", params=query).json()["data"]
            found = next((row for row in rows if row["app_name"] == self.name), None)
            return (int(found["total_tokens"]), found["total_requests"]) if found else (0, 0)

        eventually((tokens, requests) if tokens else (0, 0), row)

    def expect(self, counted: Counted, *, requests: int = 1) -> None:
        """Pass when the last request, and the app in ``requests`` such requests, took what the upstream reported."""
        told = self.generation()
        assert (self.url, self.url, 200, False) == (
            told["http_referer"],
            told["origin"],
            told["status"],
            told["failed"],
        )
        assert ("reported", counted.prompt, counted.completion) == self.usage()[:3]
        assert (counted.prompt, counted.completion) == (told["tokens_prompt"], told["tokens_completion"])
        assert (counted.cached, counted.reasoning) == tuple(count or 0 for count in self.usage()[3:])
        self.ranked(requests * counted.total, requests)


def generation(client: httpx.Client, generation_id: str) -> dict[str, Any]:
    """Return what /generation says, as soon as it knows the id."""

    def ask() -> dict[str, Any] | None:
        # The ledger is asked only once all is there: the drain rests for longer, the more it has to wait for its turn.
        if client.get("/readyz").json()["spool"]["pending"]:
            return None
        answer = client.get("/api/v1/generation", params={"id": generation_id})
        assert answer.status_code in {200, 404}, answer.text
        return dict(answer.json()["data"]) if answer.status_code == 200 else None

    return dict(wait_for(ask, 10.0, lambda: f"{generation_id} never came to the ledger", every_s=0.04))
