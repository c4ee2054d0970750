"""Which of several boards does what one of them is to do. Every function works inside a writing transaction.

A duty has a holder, who counts its ``beat`` up as long as it lives. There is no time in it: whoever wants the duty
waits until the beat has stood still for long by its own clock, and takes it over from just the holder and beat it has
seen.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from tokenboard.catalog.schema import DUTIES


@dataclass(frozen=True, slots=True)
class Duty:
    """Who holds a duty, and how often they have said so; a ``holder`` that is empty has given it back."""

    holder: str
    beat: int


def look(connection: sa.Connection, name: str) -> Duty | None:
    """Return who holds a duty, None when nobody ever did."""
    row = connection.execute(sa.select(DUTIES).where(DUTIES.c.name == name)).first()
    return None if row is None else Duty(row.holder, row.beat)


def claim(connection: sa.Connection, name: str, holder: str, seen: Duty | None) -> Duty | None:
    """Make ``holder`` hold a duty for one more beat, if it is still as it was seen; None when it is not."""
    now = Duty(holder, 1 if seen is None else seen.beat + 1)
    if look(connection, name) != seen:
        return None
    if seen is None:
        connection.execute(sa.insert(DUTIES).values(name=name, holder=holder, beat=now.beat))
    else:
        connection.execute(sa.update(DUTIES).where(DUTIES.c.name == name).values(holder=holder, beat=now.beat))
    return now
