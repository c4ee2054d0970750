"""Connections to the engine, each call within its time: one owned thread if embedded, a small pool to a server.

    question ─▶ asking threads (8) ─▶ client: silent for ``timeout_s`` at most ─┐
    batch, upkeep ─▶ working threads (2) ─▶ client: silent for `SILENT_S` ──────┴─▶ engine

A caller waits for a turn and the answer together. The two kinds do not wait for each other on a server; embedded they
share the one thread, which the engine's handle wants.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Final, TypeVar

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from tokenboard.ledger.address import Address
from tokenboard.ledger.errors import LedgerUnavailable, unavailable

Answer = TypeVar("Answer")

SILENT_S: Final = 300
"""How long a server may be silent about a statement of the board's own, such as a batch, in seconds."""

STATEMENT_S: Final = 3_600
"""How long one statement of the board's own may take on a server, in seconds: a month of a large ledger made anew."""

ASKING: Final = 8
"""Questions that a server is asked at one time; further ones wait for their turn."""

WORKING: Final = 2
"""Statements of the board's own at one time: the drain's, and upkeep's."""

CONNECT_S: Final = 10
"""How long connecting to a server may take at most, in seconds."""

_ENGINE: Final = MappingProxyType({"memory_worker_period_ms": 1_000})
"""Settings of the embedded engine's process. It looks twenty times a second how much memory it has by default, which
is a fifth of a percent of a core for as long as the board is idle."""

_TIMEOUT: Final = 159  # TIMEOUT_EXCEEDED
_DRIVER_SAYS_LATE: Final = ("TIMEOUT_EXCEEDED", "Read timed out")
_FAILURES: Final = (ClickHouseError, OSError)


class Connections:
    """Calls to one engine, on threads of its own. Safe from any thread.

    Raises:
        LedgerUnavailable: the engine cannot be opened or reached; from every call too.

    """

    def __init__(self, address: Address, timeout_s: float, settings: Mapping[str, str | int]) -> None:
        self.timeout_s = timeout_s
        self.embedded = address.embedded
        self._closed = False
        self._working = ThreadPoolExecutor(1 if self.embedded else WORKING, thread_name_prefix="ledger")
        self._asking = self._working if self.embedded else ThreadPoolExecutor(ASKING, thread_name_prefix="ledger-ask")
        try:
            if address.embedded:
                self._client = self._asker = self._on(self._working, lambda: _open_engine(address), None)
            else:
                self._client = self._on(
                    self._working,
                    lambda: _reach(address, SILENT_S, timeout_s, {"max_execution_time": STATEMENT_S, **settings}),
                    None,
                )
                # A little longer than the engine is told to take: its own word is better than none.
                silent_s = math.ceil(timeout_s) + 2
                self._asker = self._on(self._asking, lambda: _reach(address, silent_s, timeout_s, settings), None)
        except BaseException:
            self._shut()
            raise

    def run(self, work: Callable[[Client], Answer]) -> Answer:
        """Do a statement of the board's own, however long it takes within `SILENT_S`."""
        return self._on(self._working, lambda: work(self._client), None)

    def ask(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows that answer a caller's question, who waits ``timeout_s`` for his turn and the answer."""
        deadline = time.monotonic() + self.timeout_s

        def ask() -> Sequence[Sequence[Any]]:
            # The engine takes whole seconds: a query whose caller has given up ends soon after.
            left_s = max(math.ceil(deadline - time.monotonic()), 1)
            limits = {"max_execution_time": left_s, "timeout_overflow_mode": "throw"}
            return self._asker.query(text, parameters=dict(parameters), settings=limits).result_rows

        return self._on(self._asking, ask, self.timeout_s)

    def close(self) -> None:
        """Let go of the engine; no call works afterwards."""
        if not self._closed:
            self._closed = True
            try:
                self._working.submit(self._client.close).result()
                if self._asker is not self._client:
                    self._asking.submit(self._asker.close).result(self.timeout_s)
            finally:
                self._shut()

    def _shut(self) -> None:
        # An answer that a server owes for long is not waited for: nobody wants it any more.
        self._asking.shutdown(wait=self.embedded, cancel_futures=True)
        self._working.shutdown(wait=self.embedded, cancel_futures=not self.embedded)

    def _on(self, threads: ThreadPoolExecutor, call: Callable[[], Answer], within_s: float | None) -> Answer:
        try:
            answer = threads.submit(call)
        except RuntimeError as error:
            raise LedgerUnavailable("the ledger is closed") from error
        try:
            return answer.result(within_s)
        except TimeoutError as error:
            answer.cancel()
            raise self._late() from error
        except _FAILURES as error:
            if within_s is not None and _is_late(error):
                raise self._late() from error
            raise unavailable(error) from error

    def _late(self) -> LedgerUnavailable:
        return LedgerUnavailable(f"the ledger did not answer within {self.timeout_s:g} s", within_s=self.timeout_s)


def _open_engine(address: Address) -> Client:
    return clickhouse_connect.get_client(dsn=f"chdb://{address.folder}", chdb_options=dict(_ENGINE))


def _let_us_tell() -> None:
    """Let the driver log no failure of its own: each becomes an error here, which is told at a bounded rate."""
    for name in ("clickhouse_connect", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _reach(address: Address, silent_s: int, timeout_s: float, settings: Mapping[str, str | int]) -> Client:
    _let_us_tell()
    limits: dict[str, Any] = {
        "connect_timeout": min(max(math.ceil(timeout_s), 1), CONNECT_S),
        "send_receive_timeout": silent_s,
    }
    return clickhouse_connect.get_client(
        **(limits | address.options),
        settings=dict(settings),
        autogenerate_session_id=False,  # several statements at one time
        dedicated_pool=True,
        query_retries=0,  # who asks decides whether to ask again
    )


def _is_late(error: BaseException) -> bool:
    return getattr(error, "code", None) == _TIMEOUT or any(mark in str(error) for mark in _DRIVER_SAYS_LATE)
