"""tokenboard as it is served: real commands, every answer durably metered, its processes on cores by their roles."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from inspect import signature
from typing import Any

import httpx
from tests.board import BoardProcess, today

from benchmarks.gateway.dialogue import TOKENS
from benchmarks.gateway.group import Group
from benchmarks.gateway.load import LoadFailed
from benchmarks.gateway.peers import MAX_CONNECTIONS
from benchmarks.gateway.process import pinned
from benchmarks.gateway.proxies import Proxy, Stage, answering

GATEWAY_ALONE = "tokenboard, gateway alone"
"""The row of a gateway that has its core to itself, while the board shares that of upstream and load."""
_COUNTED_WITHIN_S = 120.0
_FORM = "TOKENBOARD_PURE"
"""Says which form of its modules is to run: the one variable of ours that reaches the server from where we are run."""
_CONFIG = """
[gateway]
echo = false
max_connections = {connections}

[[upstream]]
name = "bench"
base_url = "http://127.0.0.1:{upstream}/v1"
"""
Places = Sequence[frozenset[int]]


class Restarted(Exception):
    """A process ended while it was measured: what the run gives is not worth reading."""


class Tokenboard:
    """A ``tokenboard serve`` on an empty folder, with the settings it comes with."""

    def __init__(self, board: BoardProcess, group: Group) -> None:
        self._board = board
        self._group = group
        self._headers = {"Authorization": f"Bearer {board.make_key('inference,data')}"}
        self._roles = answering(self.proxy("tokenboard")).group.roles()

    @property
    def gateways(self) -> int:
        """How many processes are gateways and nothing else; 0 where one process does everything."""
        return sum(role == "gateway" for role in self._roles.values())

    def proxy(self, name: str, *, gateways: Places = (), others: Places = (), apart: bool = False) -> Proxy:
        """Return it as a proxy whose processes are on these cores; where they are if none are given.

        Gateways take their cores in turn. ``apart`` says that the others' are not those of the proxies.
        """

        def prepare() -> None:
            if gateways and others:
                self._group.pin(lambda role: gateways if role == "gateway" else others)

        return Proxy(
            name,
            self._group,
            self._board.port,
            self._headers,
            elsewhere=frozenset({"board", "serve"}) if apart else frozenset(),
            prepare=prepare,
            settle=self._settle,
        )

    def recorded(self) -> int:
        """Return how many whole answers the rankings count."""
        self._settle()
        days = {"start_date": str(today() - timedelta(days=1)), "end_date": str(today())}
        url = f"{self._board.url}/api/v1/datasets/app-rankings"
        found = httpx.get(url, params=days, headers=self._headers, timeout=30).raise_for_status()
        return sum(int(row["total_tokens"]) for row in found.json()["data"]) // TOKENS

    def expect(self, answered: int) -> None:
        """Make sure that every answer is in the rankings.

        Raises:
            LoadFailed: some are not.

        """
        if (recorded := self.recorded()) < answered:
            raise LoadFailed(f"of {answered} answered requests {recorded} are in the rankings")

    def _settle(self) -> None:
        self._board.wait_until_counted(_COUNTED_WITHIN_S)
        if self._group.roles() != self._roles:
            raise Restarted("a process of tokenboard has ended or was started again under load")


@contextlib.contextmanager
def tokenboard(stage: Stage, gateways: int = 1) -> Iterator[Tokenboard]:
    """Run tokenboard with so many gateways, all of it on the core of the proxies until it is told otherwise."""
    folder = stage.folder / "tokenboard"
    folder.mkdir(parents=True)
    config = folder / "tokenboard.toml"
    config.write_text(_CONFIG.format(connections=MAX_CONNECTIONS, upstream=stage.upstream))
    # Where `serve` is one process it takes no number of gateways.
    several: dict[str, Any] = {"gateways": gateways} if "gateways" in signature(BoardProcess).parameters else {}
    form = {name: value for name, value in os.environ.items() if name == _FORM}
    board = BoardProcess(folder / "data", config=config, environment=form, **several)
    try:
        with pinned(stage.cores.proxy):
            board.start()
        yield Tokenboard(board, Group(board.pid))
    finally:
        if board.alive():
            board.stop()
