"""Gateways and boards as they are, and between them a network that loses, delays, repeats and reorders: by a seed."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.events import NOON, event
from tokenboard.collector import Shipments
from tokenboard.event import encode_event
from tokenboard.event_table import decode_parcel
from tokenboard.journal import JournalWriter
from tokenboard.observability import Counters
from tokenboard.shipping import Answer, Ask, Send, Shipper, decode_shipment
from tokenboard.spool import Spool


class Board:
    """A board's spool, and what takes shipments into it; may be ended and opened again, or set back to a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counters = Counters()
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.folder, "board", max_bytes=10**9, fsync=False, clock_ms=lambda: NOON)
        self.shipments = Shipments(self.spool, self.counters)

    def reopen(self) -> None:
        self.spool.close()
        self.open()

    def answer(self, message: Ask | Send) -> Answer:
        if isinstance(message, Ask):
            return self.shipments.look(message.journal)
        return self.shipments.take(decode_shipment(message.body), "gateway")

    def events(self) -> list[str]:
        return [each.id for parcel in self.spool.peek(10**6, 10**9) for each in decode_parcel(parcel.body)]


class Ship:
    """One gateway's journal and its shipper, which begin anew as after a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counters = Counters()
        self.recorded: list[str] = []
        self._clock = NOON
        self.writer = self._write()
        self.shipper = self._ship()

    def record(self, count: int = 1) -> None:
        ids = [f"{self.folder.name}-{len(self.recorded) + number}" for number in range(count)]
        append(self.writer, ids)
        self.recorded += ids

    def restart(self) -> None:
        self.writer.close()
        self.writer = self._write()
        self.shipper = self._ship()

    def close(self) -> None:
        self.writer.close()

    def deliver(self, board: Board, rounds: int = 100) -> None:
        """Bring everything to a board, over a network without a fault."""
        for _ in range(rounds):
            message = self.shipper.next()
            if message is None:
                return
            self.shipper.answered(board.answer(message))
            if self.shipper.standing().refused is not None:
                return
        raise AssertionError("it never comes to an end")

    def _write(self) -> JournalWriter:
        self._clock += 1
        return JournalWriter(self.folder, fsync=False, clock_ms=lambda: self._clock, segment_bytes=2_000)

    def _ship(self) -> Shipper:
        return Shipper(self.folder, instance="run", counters=self.counters)


def append(writer: JournalWriter, ids: Sequence[str]) -> None:
    async def run() -> None:
        for each in [writer.append(encode_event(event(id=one))) for one in ids]:
            await each

    asyncio.run(run())


def voyage(folder: Path, seed: int, *, boards: int, steps: int) -> tuple[list[str], list[str]]:
    """Sail by a seed; return what was recorded, and what all boards have of it once the storm is over."""
    chance = random.Random(seed)
    ports = [Board(folder / f"board-{number}") for number in range(boards)]
    ships = [Ship(folder / f"gateway-{number}") for number in range(2)]
    late: list[tuple[int, Ask | Send]] = []
    try:
        for _ in range(steps):
            ship = chance.choice(ships)
            match chance.randrange(12):
                case 0 | 1 | 2:
                    ship.record(chance.randrange(1, 9))
                case 3:
                    ship.restart()
                case 4:
                    chance.choice(ports).reopen()
                case 5 if late:  # what was held up on its way arrives now, and its answer reaches nobody
                    number, message = late.pop(chance.randrange(len(late)))
                    ports[number].answer(message)
                case _:
                    _exchange(ship, ports, late, chance)
        for ship in ships:
            for _ in range(3):  # the board that may have a shipment is among those that answer now
                for port in ports:
                    _calm(ship, port)
        for number, message in late:
            ports[number].answer(message)
        return (
            sorted(each for ship in ships for each in ship.recorded),
            sorted(each for port in ports for each in port.events()),
        )
    finally:
        for ship in ships:
            ship.close()
        for port in ports:
            with closing(port.spool):
                pass


def _exchange(ship: Ship, ports: list[Board], late: list[tuple[int, Ask | Send]], chance: random.Random) -> None:
    message = ship.shipper.next()
    if message is None:
        return
    number = chance.randrange(len(ports))
    fate = chance.randrange(8)
    if fate == 0:  # lost on the way there
        ship.shipper.unanswered()
    elif fate == 1:  # held up on the way there
        late.append((number, message))
        ship.shipper.unanswered()
    elif fate == 2:  # taken, and the answer lost
        ports[number].answer(message)
        ship.shipper.unanswered()
    elif fate == 3:  # repeated on the way
        answer = ports[number].answer(message)
        ports[number].answer(message)
        ship.shipper.answered(answer)
    elif fate == 4:  # taken, and the gateway killed before it heard
        ports[number].answer(message)
        ship.restart()
    else:
        ship.shipper.answered(ports[number].answer(message))
    assert ship.shipper.standing().refused is None


def _calm(ship: Ship, port: Board) -> None:
    """Ship to one board until nothing is left, or it is another board's turn to say what it has."""
    for _ in range(50):
        message = ship.shipper.next()
        if message is None:
            return
        ship.shipper.answered(port.answer(message))
        if ship.shipper.standing().waits_for is not None:
            return
