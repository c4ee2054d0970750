"""A board as its operator sees it: usage is reported, apps are looked at and changed over HTTP."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from tests.board import BoardProcess, now_text, today


@dataclass(frozen=True)
class Operator:
    """Asks one board, about apps of a host that nobody else uses."""

    board: BoardProcess
    client: httpx.Client
    site: str

    def use(self, *urls: str, tokens: int = 1, title: str | None = None, categories: str = "") -> list[int]:
        """Report one use of each app and wait until it counts; return the apps' ids."""
        events = [
            {
                "id": uuid.uuid4().hex,
                "ts": now_text(),
                "referer": url,
                "title": title,
                "categories": categories,
                "model": "m",
                "prompt_tokens": tokens,
                "completion_tokens": 0,
            }
            for url in urls
        ]
        answer = self.client.post("/api/v1/usage", json=events)
        assert answer.status_code == 202, answer.text
        self.board.wait_until_counted()
        return [self.ask("GET", "/apps/lookup", params={"url": url})["id"] for url in urls]

    def ask(self, method: str, path: str, **parts: Any) -> Any:
        """Return the ``data`` of an answer of the Admin API."""
        answer = self.client.request(method, f"/api/v1/admin{path}", **parts)
        assert answer.status_code in {200, 201}, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()["data"]

    def refused(self, method: str, path: str, **parts: Any) -> tuple[int, str]:
        """Return the status and message of a refusal, which must have the one shape."""
        answer = self.client.request(method, f"/api/v1/admin{path}", **parts)
        error = answer.json()["error"]
        assert error["code"] == answer.status_code >= 400
        return answer.status_code, error["message"]

    def ranked(self) -> dict[str, int]:
        """Return today's tokens by name, of the apps whose name holds the host."""
        day = today().isoformat()
        parameters = {"start_date": day, "end_date": day, "limit": "100"}
        answer = self.client.get("/api/v1/datasets/app-rankings", params=parameters)
        assert answer.status_code == 200, answer.text
        return {
            row["app_name"]: int(row["total_tokens"]) for row in answer.json()["data"] if self.site in row["app_name"]
        }
