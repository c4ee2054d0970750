"""A server killed without warning, again and again, under load: no answered request is lost, none is counted twice."""

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess, now_text, today, wait_for
from tests.effort import examples
from tests.system.feed import rankings

KILLS = examples(8)
SEED = 20261121


class Load:
    """Callers that keep asking while the server comes and goes, and remember what they were answered."""

    def __init__(self, board: BoardProcess, key: str) -> None:
        self._board = board
        self._headers = {"Authorization": f"Bearer {key}"}
        self._ending = threading.Event()
        self._up = threading.Event()
        self._threads = [
            threading.Thread(target=target, args=(number,), daemon=True)
            for number, target in enumerate([self._chat, self._stream, self._report] * 2)
        ]
        self.answered: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()
        self.duplicates = 0
        self.cut_off = 0
        self._lock = threading.Lock()
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        self._up.set()

    def pause(self) -> None:
        self._up.clear()

    def end(self) -> None:
        self._ending.set()
        self._up.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._board.url, headers=self._headers, timeout=10)

    def _chat(self, number: int) -> None:
        self._repeat(lambda client, turn: self._ask(client, number, turn))

    def _stream(self, number: int) -> None:
        self._repeat(lambda client, turn: self._ask_for_stream(client, number, turn))

    def _report(self, number: int) -> None:
        """Send a body again until it was accepted, and now and then once more after that."""
        chance = random.Random(SEED + number)
        pending: list[list[dict[str, Any]]] = []

        def step(client: httpx.Client, turn: int) -> None:
            if not pending:
                pending.append([_reported(f"r-{number}-{turn}-{position}", number) for position in range(25)])
            answer = client.post("/api/v1/usage", json=pending[0])
            if answer.status_code == 202:
                with self._lock:
                    self.duplicates += answer.json()["data"]["duplicates"]
                    for event in pending[0]:
                        self.reported[event["id"]] = 1
                if chance.random() > 0.2:
                    pending.clear()

        self._repeat(step)
        # What was sent but never acknowledged is still owed.
        while pending and not self._finish(pending[0]):
            pass

    def _finish(self, body: list[dict[str, Any]]) -> bool:
        with self._client() as client:
            answer = client.post("/api/v1/usage", json=body)
        with self._lock:
            self.reported.update({event["id"]: 1 for event in body if event["id"] not in self.reported})
        return answer.status_code == 202

    def _repeat(self, step: Any) -> None:
        turn = 0
        while not self._ending.is_set():
            self._up.wait()
            with self._client() as client:
                try:
                    while not self._ending.is_set():
                        turn += 1
                        step(client, turn)
                except httpx.HTTPError:
                    self.cut_off += 1
                    self._up.wait(0.05)
                    time.sleep(0.02)

    def _ask(self, client: httpx.Client, number: int, turn: int) -> None:
        answer = client.post("/v1/chat/completions", json=_question(turn), headers=_referer(number))
        if answer.status_code == 200 and answer.json()["usage"]["total_tokens"]:
            self._note(answer.headers["x-generation-id"])

    def _ask_for_stream(self, client: httpx.Client, number: int, turn: int) -> None:
        body = _question(turn) | {"stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body, headers=_referer(number)) as answer:
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    self._note(answer.headers["x-generation-id"])

    def _note(self, generation: str) -> None:
        with self._lock:
            self.answered[generation] += 1


def _on_its_way(board: BoardProcess) -> bool:
    with contextlib.closing(sqlite3.connect(f"file:{board.data}/spool/board.sqlite?mode=ro", uri=True)) as spool:
        return bool(spool.execute("SELECT count(*) FROM batch").fetchone()[0])


def _question(turn: int) -> dict[str, Any]:
    words = " ".join(["word"] * (turn % 7 + 1))
    return {"model": "tokenboard/echo", "messages": [{"role": "user", "content": words}]}


def _referer(number: int) -> dict[str, str]:
    return {"HTTP-Referer": f"https://load-{number}.example", "X-OpenRouter-Title": f"Load {number}"}


def _reported(name: str, number: int) -> dict[str, Any]:
    return {
        "id": name,
        "ts": now_text(),
        "referer": f"https://load-{number}.example",
        "model": "openai/gpt-test",
        "prompt_tokens": 11,
        "completion_tokens": 3,
        "cost": "0.001",
    }


@pytest.mark.timeout(300)
def test_every_answered_request_is_counted_exactly_once_however_often_the_server_is_killed(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path / "data").start()
    key = board.make_key()
    load = Load(board, key)
    chance = random.Random(SEED)
    started = today()
    try:
        for kill in range(KILLS):
            load.resume()
            time.sleep(chance.uniform(0.05, 0.5))
            if kill % 4:
                # Three times in four strike where it hurts most: while a batch is on its way into the ledger.
                wait_for(lambda: _on_its_way(board), 10, board.log)
                time.sleep(chance.uniform(0, 0.08))
            board.kill()
            load.pause()
            board.start()
        load.resume()
        load.end()
        board.wait_until_counted(60)
        with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            ranked = rankings(client, start_date=str(started), end_date=str(today()), limit=100)
        assert 0 == board.stop()
    finally:
        if board.alive():
            board.kill()

    dump = subprocess.run(
        [sys.executable, "-m", "tests.system.dump_ledger", str(board.data)], capture_output=True, text=True, check=True
    )
    held = json.loads(dump.stdout)
    rows: dict[str, int] = held["ids"]

    assert load.cut_off > 0, "no request was ever interrupted: the test did not test"
    assert len(load.answered) > KILLS
    assert load.duplicates > 0
    assert {} == {name: rows.get(name, 0) for name in load.answered if rows.get(name, 0) != 1}, (
        "answered, not counted once"
    )
    assert {} == {name: rows.get(name, 0) for name in load.reported if rows.get(name, 0) != 1}, (
        "accepted, not counted once"
    )
    assert {} == {name: count for name, count in rows.items() if count != 1}, "counted more than once"

    raw = held["totals"]["usage"]
    assert dict.fromkeys(held["totals"], raw) == held["totals"], "a rollup differs from the raw events"
    expected = sorted((int(tokens), int(requests)) for app, requests, tokens in held["by_app"] if app)
    assert expected == sorted((tokens, requests) for _, _, tokens, requests in ranked), "the rankings differ"
