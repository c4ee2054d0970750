"""Callers that keep asking while processes come and go, and a record of what they were answered."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from tests.board import BoardProcess, now_text, wait_for

REPORTED_AT_ONCE = 20
ASKED_ON_A_CONNECTION = 25
"""A caller connects anew now and then, so that each gateway gets its share of all callers."""


class Load:
    """So many threads each of chats, streams and reports of usage, until `end`.

    ``answered`` counts the ids of inference requests whose answers came in full, ``acknowledged`` holds the ids of
    events that POST /usage has accepted. ``cut_off`` counts inference requests without a whole answer, of which
    nobody knows whether they count, and ``unsure`` holds the ids of events of which nobody knows it; ``failures`` says
    what became of requests that were refused or cut off. A report is sent again until it is acknowledged, and now and
    then once more. ``rest_s`` is how long each rests after an answer: callers that never do take the processors from
    the processes whose coming and going a test is about.
    """

    def __init__(self, board: BoardProcess, key: str, *, each: int = 2, seed: int = 1, rest_s: float = 0.0) -> None:
        self._rest_s = rest_s
        self._url = board.url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._seed = seed
        self._ending = threading.Event()
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self.answered: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.unsure: set[str] = set()
        self.tokens: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.duplicates = 0
        self.cut_off = 0
        self.failures: list[str] = []
        self.slowest_s = 0.0
        steps = [self._chat, self._stream, self._report] * each
        self._threads = [threading.Thread(target=step, args=(number,)) for number, step in enumerate(steps)]
        for thread in self._threads:
            thread.start()

    def stop_asking(self) -> None:
        """Begin no further request; open ones go on, and a report is still sent until it is acknowledged."""
        self._ending.set()

    def give_up(self) -> None:
        """End without waiting for reports to be acknowledged, as there is nobody who could."""
        self._given_up.set()
        self.end()

    def end(self) -> "Load":
        """Ask no more; return once every open answer has come and every report is acknowledged."""
        self.stop_asking()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        return self

    def broken_answers(self) -> list[str]:
        """Return what became of answers that had begun and did not end."""
        return [failure for failure in self.failures if "peer closed connection" in failure or "its end" in failure]

    def wait_for(self, more: int) -> None:
        """Return once so many further requests for inference were answered."""
        wanted = len(self.answered) + more
        deadline = time.monotonic() + 30
        while len(self.answered) < wanted:
            assert time.monotonic() < deadline, f"no answers any more; {self.failures[-3:]}"
            time.sleep(0.01)

    def wait_for_report(self) -> None:
        """Return once a further report was acknowledged."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > before, 40)

    def _chat(self, number: int) -> None:
        def ask(client: httpx.Client, turn: int) -> None:
            answer = client.post("/v1/chat/completions", json=_question(turn), headers=_app(number))
            if self._fine(answer):
                self._note(number, answer.headers["x-generation-id"], answer.json()["usage"]["total_tokens"])

        self._infer(ask)

    def _stream(self, number: int) -> None:
        def ask(client: httpx.Client, turn: int) -> None:
            body = _question(turn * 50) | {"stream": True, "stream_options": {"include_usage": True}}
            with client.stream("POST", "/v1/chat/completions", json=body, headers=_app(number)) as answer:
                if not self._fine(answer):
                    return
                lines = list(answer.iter_lines())
                if "data: [DONE]" not in lines:
                    raise ValueError("a stream without its end")
                tokens = sum(_tokens_of(line) for line in lines)
                self._note(number, answer.headers["x-generation-id"], tokens)

        self._infer(ask)

    def _infer(self, ask: Callable[[httpx.Client, int], None]) -> None:
        turn = 0
        while not self._ending.is_set():
            with self._client() as client:
                for _ in range(ASKED_ON_A_CONNECTION):
                    if self._ending.is_set():
                        return
                    turn += 1
                    began = time.monotonic()
                    try:
                        ask(client, turn)
                    except (httpx.HTTPError, ValueError) as error:
                        with self._lock:
                            self.cut_off += 1
                            self.failures.append(f"{type(error).__name__}: {error}")
                        time.sleep(0.02)
                        break
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    time.sleep(self._rest_s)

    def _report(self, number: int) -> None:
        chance = random.Random(self._seed + number)
        turn = 0
        while not self._ending.is_set():
            turn += 1
            body = [
                _event(f"r-{self._seed}-{number}-{turn}-{position}", number) for position in range(REPORTED_AT_ONCE)
            ]
            if self._deliver(body, again=chance.random() < 0.2):
                self._count(number, tokens=14 * len(body), requests=len(body))
            time.sleep(0.01 + self._rest_s)

    def _deliver(self, body: list[dict[str, Any]], *, again: bool) -> bool:
        """Send a report until it is acknowledged, or once more than that; return whether it was."""
        ids = {event["id"] for event in body}
        deadline = time.monotonic() + 60
        while not self._given_up.is_set():
            assert time.monotonic() < deadline, "a report was never acknowledged"
            try:
                with self._client() as client:
                    answer = client.post("/api/v1/usage", json=body)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code != 202:
                assert answer.status_code in {502, 503, 504}, answer.text
                time.sleep(0.05)
                continue
            with self._lock:
                self.duplicates += answer.json()["data"]["duplicates"]
                self.acknowledged |= ids
            if not again:
                break
            again = False
        if ids <= self.acknowledged:
            return True
        with self._lock:
            self.unsure |= ids
        return False

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, headers=self._headers, timeout=30)

    def _fine(self, answer: httpx.Response) -> bool:
        if answer.status_code != 200:
            answer.read()
            with self._lock:
                self.failures.append(f"{answer.status_code}: {answer.text[:300]}")
        return answer.status_code == 200

    def _note(self, number: int, generation: str, tokens: int) -> None:
        with self._lock:
            self.answered[generation] += 1
        self._count(number, tokens=tokens, requests=1)

    def _count(self, number: int, *, tokens: int, requests: int) -> None:
        with self._lock:
            self.tokens[_name(number)] += tokens
            self.requests[_name(number)] += requests


class Held:
    """What a stopped board's ledger holds."""

    def __init__(self, board: BoardProcess) -> None:
        command = [sys.executable, "-m", "tests.system.dump_ledger", str(board.data)]
        dump = subprocess.run(command, capture_output=True, text=True, check=True)
        held = json.loads(dump.stdout)
        self.rows: dict[str, int] = held["ids"]
        self.totals: dict[str, Any] = held["totals"]
        self.by_app = sorted((int(tokens), int(requests)) for app, requests, tokens in held["by_app"] if app)

    def must_hold(self, *loads: Load) -> None:
        """Check that whatever was answered or acknowledged is there once, and nothing twice or of nobody's asking."""
        wanted = {name for load in loads for name in [*load.answered, *load.acknowledged]}
        assert len(wanted) == sum(len(load.answered) + len(load.acknowledged) for load in loads)
        lost = {name: self.rows.get(name, 0) for name in wanted if self.rows.get(name, 0) != 1}
        assert {} == lost, "answered or acknowledged, and not counted once"
        assert {} == {name: rows for name, rows in self.rows.items() if rows != 1}, "counted more than once"
        unsure = {name for load in loads for name in load.unsure}
        # An answer that broke off may have been recorded: its usage was spent.
        assert len(set(self.rows) - wanted - unsure) <= sum(load.cut_off for load in loads), "nobody asked for these"
        raw = self.totals["usage"]
        assert dict.fromkeys(self.totals, raw) == self.totals, "a rollup differs from the raw events"


def counted(*loads: Load) -> dict[str, tuple[int, int]]:
    """Return the tokens and requests of each app by what its callers were told."""
    tokens = sum((load.tokens for load in loads), Counter())
    requests = sum((load.requests for load in loads), Counter())
    return {name: (tokens[name], requests[name]) for name in requests}


def _question(turn: int) -> dict[str, Any]:
    words = " ".join(["word"] * (turn % 351 + 1))
    return {"model": "tokenboard/echo", "messages": [{"role": "user", "content": words}]}


def _tokens_of(line: str) -> int:
    """Return the tokens that a stream's line tells: all of the answer's, in one of its lines."""
    if '"usage"' not in line:
        return 0
    usage = json.loads(line.removeprefix("data: ")).get("usage")
    return int(usage["total_tokens"]) if usage else 0


def _name(number: int) -> str:
    return f"load-{number}.example"


def _app(number: int) -> dict[str, str]:
    return {"HTTP-Referer": f"https://{_name(number)}"}


def _event(name: str, number: int) -> dict[str, Any]:
    return {
        "id": name,
        "ts": now_text(),
        "referer": f"https://{_name(number)}",
        "model": "openai/gpt-test",
        "prompt_tokens": 11,
        "completion_tokens": 3,
    }
