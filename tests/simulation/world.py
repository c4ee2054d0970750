"""One world: what happens in it by its seed, and what must hold at its end."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.events import DAY_MS, NOON, event
from tests.simulation.board import Board, Clock
from tests.simulation.gateway import LocalGateway, RemoteGateway
from tests.simulation.ledger import RAW, SUMS
from tokenboard.event import UsageEvent
from tokenboard.shipping import Answer, Ask, Send

Tell = Callable[[str], object]
_MONTH_END = NOON + 30 * DAY_MS  # 2026-01-31T12:00:00Z
_APPS = tuple(f"https://app-{number}.example" for number in range(7))


@dataclass
class Oracle:
    """What was acknowledged must be counted once, what was only written may be; of each its tokens."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    unfit: set[str] = field(default_factory=set)


class World:
    """Three gateways, one of them elsewhere, callers of POST /usage, a board, its ledger; `live` it, and `judge` it."""

    def __init__(self, folder: Path, seed: int, tell: Tell = lambda _: None) -> None:
        self.chance = random.Random(seed)
        self._tell = tell
        self.clock = Clock(_MONTH_END)
        journals = folder / "journals"
        self.remote = RemoteGateway(folder / "elsewhere" / "remote", self.chance, self.clock.ms)
        local = [LocalGateway(journals / f"gateway-{number}", self.chance, self.clock.ms) for number in (1, 2)]
        self.gateways: list[LocalGateway] = [*local, self.remote]
        self.board = Board(folder / "board", journals, self.chance, self.clock)
        self.oracle = Oracle()
        self._made = 0
        self._on_their_way: list[Ask | Send] = []
        self._resent: list[list[UsageEvent]] = []

    def live(self, steps: int) -> None:
        """Let so many things happen."""
        happenings: list[tuple[int, Callable[[], str]]] = [
            (6, self._record),
            (6, self._collect),
            (9, self._deliver),
            (5, self._ship),
            (3, self._post),
            (1, self._post_again),
            (1, self._gateway_dies),
            (1, self._board_ends),
            (1, self._weather),
            (1, self._set_the_clock),
        ]
        weights = [weight for weight, _ in happenings]
        for number in range(steps):
            ((_, happening),) = self.chance.choices(happenings, weights)
            self._tell(f"{number:4} {happening()}")
            self.clock.pass_ms(self.chance.choice((0, 1, 40, 900, 20_000)))
            self.board.ledger.settle()

    def judge(self) -> dict[str, object]:
        """Bring everything to rest without a further fault; return what differs from what must be, by its name."""
        board, ledger = self.board, self.board.ledger
        ledger.away = ledger.slow = board.apps.away = False
        ledger.chance = _Lucky()
        board._chance = _Lucky()
        for late in self._on_their_way:
            board.receive(late)
        for _ in range(500):
            board.collect()
            board.deliver()
            message = self.remote.shipper.next()
            if message is not None:
                self._hear(board.receive(message))
            elif not board.pending():
                break
        ledger.settle(all_of_it=True)
        counted = Counter(row[0] for row in ledger.raw())
        must, may = self.oracle.acknowledged, self.oracle.written
        raw: Counter[tuple[date, int]] = Counter()
        for _, day, app_id, tokens in ledger.raw():
            raw[day, app_id] += tokens
        tokens = raw.total()
        owed = sum(must.values()) + sum(may.get(name, 0) for name in counted)
        faults: dict[str, object] = {
            "waiting": board.pending() + (self.remote.shipper.next() is not None),
            "refused": self.remote.shipper.standing().refused,
            "lost": sorted(set(must) - set(counted)),
            "doubled": sorted(name for name, times in counted.items() if times > 1),
            "invented": sorted(set(counted) - set(must) - set(may)),
            "tokens": tokens - owed,
            "cube": board.cube.total() - tokens,
            "dead letters": board.dead_letters() - len(self.oracle.unfit),
            **{table: dict(ledger.sums(table) - raw) | dict(raw - ledger.sums(table)) for table in SUMS},
        }
        assert ledger.sums(RAW) == raw
        return {name: fault for name, fault in faults.items() if fault}

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.close()
        self.board.close()

    # --- what happens -----------------------------------------------------------------------------------------------

    def _record(self) -> str:
        gateway = self.chance.choice(self.gateways)
        events = [self._event() for _ in range(self.chance.randint(1, 6))]
        gateway.record(events)
        self._acknowledge(events)
        return f"{gateway.folder.name} records {len(events)}"

    def _gateway_dies(self) -> str:
        gateway = self.chance.choice(self.gateways)
        match self.chance.randrange(3):
            case 0:
                gateway.die()
                return f"{gateway.folder.name} is killed"
            case 1:
                last = self._event(fit=True)
                gateway.die(last)
                self.oracle.written[last.id] = _tokens(last)
                return f"{gateway.folder.name} is killed while it writes {last.id}"
            case _:
                gateway.restart()
                return f"{gateway.folder.name} ends and begins anew"

    def _post(self) -> str:
        return self._send([self._event(fit=True) for _ in range(self.chance.randint(1, 5))])

    def _post_again(self) -> str:
        """Somebody sends again what was sent before, with something new beside it."""
        if not self._resent:
            return "nobody sends anything again"
        events = self.chance.choice(self._resent)
        return self._send([*events, self._event(fit=True)] if self.chance.random() < 0.5 else events)

    def _send(self, events: list[UsageEvent]) -> str:
        for each in events:
            if each.id not in self.oracle.acknowledged:
                self.oracle.written[each.id] = _tokens(each)
        answered = self.board.take(events)
        if answered:
            self._acknowledge(events)
        self._resent.append(events)
        return f"POST /usage with {len(events)}" + ("" if answered else ", and the board dies")

    def _collect(self) -> str:
        self.board.collect()
        return "the board collects"

    def _deliver(self) -> str:
        self.board.deliver()
        return "the board delivers"

    def _ship(self) -> str:
        """Carry what the gateway elsewhere has to say, over a network that loses, delays, repeats and reorders."""
        message = self.remote.shipper.next()
        if message is None:
            return "nothing is shipped"
        match self.chance.randrange(9):
            case 0:
                self.remote.shipper.unanswered()
                return "a shipment is lost"
            case 1:
                self._on_their_way.append(message)
                self.remote.shipper.unanswered()
                return "a shipment is late"
            case 2:
                self.board.receive(message)
                self.remote.shipper.unanswered()
                return "the answer to a shipment is lost"
            case 3:
                self.board.receive(message)
                self._hear(self.board.receive(message))
                return "a shipment comes twice"
            case 4 if self._on_their_way:
                self.board.receive(self._on_their_way.pop(self.chance.randrange(len(self._on_their_way))))
                return "a late shipment arrives"
            case _:
                self._hear(self.board.receive(message))
                return "a shipment arrives"

    def _hear(self, answer: Answer | None) -> None:
        if answer is None:
            self.remote.shipper.unanswered()
        else:
            self.remote.shipper.answered(answer)

    def _board_ends(self) -> str:
        if self.chance.random() < 0.5:
            self.board.die()
            return "the board is killed"
        self.board.restart()
        return "the board ends and begins anew"

    def _weather(self) -> str:
        ledger, apps = self.board.ledger, self.board.apps
        ledger.away, ledger.slow = self.chance.random() < 0.3, self.chance.random() < 0.3
        apps.away = self.chance.random() < 0.15
        return f"ledger away {ledger.away}, slow {ledger.slow}; catalog away {apps.away}"

    def _set_the_clock(self) -> str:
        by = self.chance.choice((-3_600_000, -1_000, 1_000, 3_600_000, DAY_MS // 2, 8 * DAY_MS))
        self.clock.now_ms += by
        return f"the clock is set by {by / 1000:+.0f} s"

    # --- within -----------------------------------------------------------------------------------------------------

    def _event(self, *, fit: bool = False) -> UsageEvent:
        self._made += 1
        unfit = not fit and self.chance.random() < 0.01
        # About the end of a month, so that batches touch several days and months.
        ts_ms = -1 if unfit else NOON + self.chance.randint(-DAY_MS, 40 * DAY_MS)
        return event(
            id=f"e-{self._made}",
            ts_ms=ts_ms,
            received_ms=max(self.clock.now_ms, 0),
            app_key=self.chance.choice(_APPS),
            prompt_tokens=self.chance.randint(1, 1_000),
        )

    def _acknowledge(self, events: list[UsageEvent]) -> None:
        for each in events:
            if each.ts_ms < 0:
                self.oracle.unfit.add(each.id)
            else:
                self.oracle.acknowledged[each.id] = _tokens(each)
            self.oracle.written.pop(each.id, None)


def _tokens(event: UsageEvent) -> int:
    assert event.prompt_tokens is not None
    return event.prompt_tokens


class _Lucky(random.Random):
    """Nothing goes wrong any more."""

    def random(self) -> float:
        return 0.999
