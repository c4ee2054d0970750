"""A gateway's side of a board on another machine: its keys and rules by long poll, its usage shipped.

    board ══ snapshot, by long poll ══▶ RemoteBoard ─▶ file in the data folder ─▶ watcher ─▶ keys in force
    board ◀══ shipments ══════════════ RemoteBoard ◀─ Shipper ◀─ journal

Inference waits for neither. What it needs is on this machine's disk, and goes on without the board: by the last
snapshot, until the journal is full, unless ``[board] max_snapshot_age_s`` says otherwise.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from tokenboard import __version__
from tokenboard.app.gateway_key import GatewayKey
from tokenboard.config import ConfigError, Settings
from tokenboard.control import Report, Snapshot, SnapshotError, decode_snapshot, tag_of, write_snapshot
from tokenboard.durability import SpoolError
from tokenboard.gateway import BoardLine, BoardUnreached, FarBoard, Reply, origin_of
from tokenboard.gateway.upstream import client_context
from tokenboard.journal import Held
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.shipping import (
    Answer,
    Ask,
    Outcome,
    Send,
    ShipmentError,
    Shipper,
    ShippingError,
    Standing,
    decode_answer,
)

WAIT_S: Final = 25.0
"""How long the board is to wait for news, in seconds: proxies end a silent request after 30 or 60."""

SHIP_EVERY_S: Final = 0.2
"""How long an event may lie in the journal before it is shipped, in seconds."""

HELD_S: Final = 60.0
"""How long another run of this gateway may seem to ship its journal, in seconds: one that was cut off is let go by the
board long before."""

_LEFT_WITHIN_S: Final = 10.0
_NEWS: Final = "news"
_USAGE: Final = "usage"
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 15.0
_NEWS_PAUSE_S: Final = 0.05
_FAULTS: Final = (BoardUnreached, ConfigError, OSError, ShipmentError, ShippingError, SnapshotError, SpoolError)
_encoder = msgspec.json.Encoder()
_log = logger("remote")

Result = TypeVar("Result")


class Backoff:
    """Pauses that double from a quarter of a second to a quarter of a minute, each of random length up to that."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failed = 0

    def worked(self) -> None:
        """Begin anew."""
        self._failed = 0

    def next(self) -> float:
        """Return how long to wait now, in seconds."""
        longest: float = min(_FIRST_PAUSE_S * 2 ** min(self._failed, 16), _LONGEST_PAUSE_S)
        self._failed += 1
        return longest * (0.5 + self._chance() / 2)


def far_board(settings: Settings, url: str, data: Path) -> FarBoard:
    """Return where a board on another machine is, and how it is spoken to.

    Raises:
        ConfigError: it cannot be, as the settings have it.

    """
    given = settings.board
    try:
        origin, base = origin_of(url)
        if origin.scheme != "https":
            if given.tls_ca_file or given.tls_cert_file or not given.tls_verify:
                raise ValueError("there are settings for TLS, but the board's URL does not use https")
            return FarBoard(origin, base, None, given.connect_timeout_s)
        tls = client_context(
            _file(given.tls_ca_file, data),
            verify=given.tls_verify,
            cert_file=_file(given.tls_cert_file, data),
            key_file=_file(given.tls_key_file, data),
        )
    except ValueError as error:
        raise ConfigError(f"[board]: {error}") from error
    return FarBoard(origin, base, tls, given.connect_timeout_s)


def refuse_board_folder(settings: Settings, data: Path) -> None:
    """Make sure that no board uses this folder: its collector would count what is shipped once more.

    Raises:
        ShippingError: one does, or did.

    """
    stores = [data / "catalog.sqlite", data / "board.json", settings.spool_folder(data) / "board.sqlite"]
    if found := next((store for store in stores if store.exists()), None):
        raise ShippingError(
            f"{data} is the folder of a board: it has {found.name}",
            "Name another folder with --data: a board would collect what this gateway ships to another one.",
        )


class RemoteBoard:
    """The board at ``url``, for the gateway ``name`` whose journal is in ``journal``, from `start` until `stop`.

    ``snapshot_file`` is where its snapshot is kept; ``adopted`` returns the one that is in force, ``catch_up`` puts
    what the file holds into force, and blocks; ``committed`` returns all that was ever committed to the journal, and
    ``unready`` why no inference is taken, for the board to know.

    Raises:
        ConfigError: it cannot be asked, as the settings have it.
        ShippingError, SpoolError: the journal cannot be shipped.

    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        *,
        url: str,
        name: str,
        journal: Path,
        snapshot_file: Path,
        adopted: Callable[[], Snapshot | None],
        catch_up: Callable[[], object],
        committed: Callable[[], Held],
        unready: Callable[[], str | None],
        counters: Counters,
    ) -> None:
        given = settings.board
        self.place = far_board(settings, url, data)
        self.url = url
        self._name = name
        self._key = GatewayKey(given, data)
        self._file = snapshot_file
        self._adopted = adopted
        self._catch_up = catch_up
        self._committed = committed
        self._unready = unready
        self._counters = counters
        self._max_age_s = given.max_snapshot_age_s
        self._told = BoundedLog(_log)
        self._instance = secrets.token_hex(8)
        self._shipper = Shipper(journal, instance=self._instance, counters=counters)
        self._line = BoardLine(
            url,
            key=self._key,
            tls=self.place.tls,
            connect_s=given.connect_timeout_s,
            answer_s=given.answer_timeout_s,
            wait_s=WAIT_S,
        )
        # One thread: whatever is cancelled meanwhile, its steps come one after the other.
        self._worker = ThreadPoolExecutor(1, "shipping")
        self._tasks: list[asyncio.Task[None]] = []
        self._held_since: float | None = None
        self._faults: dict[str, str] = {}
        self._heard_file = snapshot_file.with_name(f"{snapshot_file.name}-heard")
        self._heard_s = time.monotonic() - (self._silent_before() if self._max_age_s else 0.0)
        self._heard_ms: int | None = None
        self.asked = asyncio.Event()
        """Set once the board was asked for the first time, whether it answered or not."""
        if self.place.origin.scheme == "http" and not _is_here(url):
            hint = "Give it an https URL: whoever sits on the way can read the gateway's key and what it ships."
            _log.warning("the board is spoken to without TLS", extra={"url": url, "hint": hint})

    def start(self) -> None:
        """Begin to follow the board, and to ship."""
        steps = ((_NEWS, self._follow), (_USAGE, self._ship))
        self._tasks = [asyncio.create_task(self._forever(name, step)) for name, step in steps]

    async def stop(self) -> None:
        """Ship what is left, for a few seconds at most, and let go of the board; the journal is closed by then."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            with contextlib.suppress(TimeoutError, *_FAULTS):
                async with asyncio.timeout(_LEFT_WITHIN_S):
                    while await self._ship_once():
                        pass
            if (left := self._waiting().events) > 0:
                hint = "They are shipped at the next start; keep the data folder."
                _log.warning("the board has not got all", extra={"events": left, "hint": hint})
        finally:
            await self._line.aclose()
            self._worker.shutdown()

    def closed(self) -> str | None:
        """Return why no inference may be taken, None when it may; from memory."""
        standing = self._shipper.standing()
        if standing.refused is not None:
            return f"the board does not take what this gateway records: {standing.refused}"
        if self._held_since is not None and time.monotonic() - self._held_since > HELD_S:
            return f"another gateway ships this journal, with a copy of this folder. {standing.held or ''}".strip()
        if self._max_age_s and self._silent_s() > self._max_age_s:
            return f"the board was not heard for {self._silent_s():.0f} s ([board] max_snapshot_age_s)"
        return None

    def tell(self) -> dict[str, Any]:
        """Return how the line to the board is, as operators see it; from memory."""
        standing, waiting = self._shipper.standing(), self._waiting()
        told: dict[str, Any] = {
            "url": self.url,
            "heard_ms": self._heard_ms,
            "waiting": waiting.events,
            "waiting_bytes": waiting.bytes,
        }
        if self._faults:
            told["faults"] = dict(self._faults)
        if standing.waits_for is not None:
            told["waits_for"] = standing.waits_for
        return told

    # --- the snapshot ----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        # At once, unless all is well: whether the board is there is to be known before there is news.
        wait_s = WAIT_S if self.asked.is_set() and _NEWS not in self._faults else 0.0
        report = self._report(wait_s)
        try:
            reply = await self._line.ask("POST", "/internal/v1/snapshot", _encoder.encode(report), waits=True)
        finally:
            self.asked.set()
        if reply.status == 409:
            answer = decode_answer(reply.body)
            self._told.error("held", "another gateway ships this journal", {"reason": answer.message})
            raise BoardUnreached(f"another gateway ships this journal. {answer.message}")
        if reply.status == 204:
            await self._heard()
            return
        if reply.status != 200:
            raise await self._refusal(reply)
        snapshot = decode_snapshot(reply.body)
        await self._heard()
        await asyncio.to_thread(self._adopt, snapshot)
        self._counters.add("snapshots")
        # Two boards that differ would answer each other's snapshot at once, again and again.
        await asyncio.sleep(_NEWS_PAUSE_S)

    def _adopt(self, snapshot: Snapshot) -> None:
        write_snapshot(self._file, snapshot)
        self._catch_up()

    def _report(self, wait_s: float) -> Report:
        adopted, waiting = self._adopted(), self._waiting()
        return Report(
            journal=self._shipper.journal,
            instance=self._instance,
            name=self._name,
            version=__version__,
            tag="" if adopted is None else tag_of(adopted),
            wait_s=wait_s,
            events=waiting.events,
            bytes=waiting.bytes,
            unready=(self._unready() or "")[:500],
            counters=dict(self._counters.read()),
        )

    # --- the usage -------------------------------------------------------------------------------------------------

    async def _ship(self) -> None:
        if not await self._ship_once():
            await asyncio.sleep(SHIP_EVERY_S)

    async def _ship_once(self) -> bool:
        """Do one exchange; False when there was nothing to do. Raises one of `_FAULTS`: it is to be tried again."""
        message = await self._work(self._shipper.next)
        if message is None:
            self._note_held()
            return False
        try:
            answer = await self._exchange(message)
        except BaseException:
            # The loop's own thread, as the other one has nothing to do; and at once, as this may be the end.
            self._shipper.unanswered()
            raise
        await self._work(partial(self._shipper.answered, answer))
        standing = self._note_held()
        if answer.outcome is Outcome.FULL:
            raise BoardUnreached("its spool takes nothing more at the moment")
        if standing.held is not None or standing.refused is not None or standing.waits_for is not None:
            raise BoardUnreached(standing.refused or standing.held or f"the board {standing.waits_for} is away")
        return True

    async def _exchange(self, message: Ask | Send) -> Answer:
        if isinstance(message, Ask):
            instance = [(b"x-tokenboard-instance", message.instance.encode("ascii"))]
            reply = await self._line.ask("GET", f"/internal/v1/journals/{message.journal}", b"", instance)
        else:
            reply = await self._line.ask("POST", "/internal/v1/shipments", message.body)
        if reply.status in {200, 409, 421, 503}:
            try:
                answer = decode_answer(reply.body)
            except ShipmentError:
                raise await self._refusal(reply) from None
            await self._heard()
            return answer
        raise await self._refusal(reply)

    def _waiting(self) -> Held:
        """Return what no board is known to have."""
        committed, done = self._committed(), self._shipper.standing().done
        return Held(max(committed.events - done.seq, 0), max(committed.bytes - done.bytes, 0))

    def _note_held(self) -> Standing:
        standing = self._shipper.standing()
        if standing.held is None:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = time.monotonic()
        return standing

    # --- both ------------------------------------------------------------------------------------------------------

    async def _forever(self, name: str, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        backoff = Backoff()
        while True:
            try:
                await step()
            except Exception as error:
                if not isinstance(error, _FAULTS):
                    # A task that ended would leave keys in force for good, or usage unshipped.
                    _log.exception("a fault of ours on the way to the board")
                self._failed(name, error)
                await asyncio.sleep(backoff.next())
            else:
                backoff.worked()
                if self._faults.pop(name, None) is not None:
                    self._told.warning(f"{name} again", f"{name} goes on", {"url": self.url})

    async def _work(self, call: Callable[[], Result]) -> Result:
        """Run what reads and writes files."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)

    async def _refusal(self, reply: Reply) -> Exception:
        """Return what an answer means that gives nothing; the key is read anew when it is refused."""
        if reply.status in {401, 403}:
            self._counters.add("board_refused_key")
            if await asyncio.to_thread(self._key.refresh):
                return BoardUnreached("the key was refused; there is another one now")
            hint = "Make a key with `tokenboard keys create --scopes gateway` on the board's machine, and give it here."
            self._told.error("key", "the board refuses this gateway's key", {"status": reply.status, "hint": hint})
        return BoardUnreached(f"status {reply.status}: {_said(reply)}")

    async def _heard(self) -> None:
        self._heard_s, self._heard_ms = time.monotonic(), time.time_ns() // 1_000_000
        if self._max_age_s:
            with contextlib.suppress(OSError):
                await self._work(partial(self._heard_file.touch, 0o600))

    def _silent_before(self) -> float:
        """Return for how many seconds the board was silent by the time of this start; 0 where nobody knows."""
        try:
            return max(time.time() - self._heard_file.stat().st_mtime, 0.0)
        except OSError:
            return 0.0

    def _failed(self, name: str, error: Exception) -> None:
        reason = str(error)[:300]
        self._counters.add(f"remote_failures.{name}")
        if name not in self._faults:
            hint = getattr(error, "hint", "") or "Inference goes on; what it uses waits in the journal."
            facts = {"url": self.url, "reason": reason, "hint": hint}
            self._told.warning(name, f"{name} does not get through to the board, or from it", facts)
        self._faults[name] = reason

    def _silent_s(self) -> float:
        return time.monotonic() - self._heard_s


def _said(reply: Reply) -> str:
    try:
        error = msgspec.json.decode(reply.body)["error"]["message"]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, TypeError):
        return "no answer of a board; see what stands before it"
    return str(error)[:200]


def _file(named: str, data: Path) -> Path | None:
    return data / Path(named).expanduser() if named else None


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
