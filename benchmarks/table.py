"""Duels of a part with its reference, and the Markdown tables of their outcome."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, one sentence on what was compared, and rows of cells."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self, what_ran: str) -> str:
        """Return the table as Markdown, below what ran: the first column is text, the others are figures."""
        lines = [f"## {self.title}", "", f"*{what_ran}* {self.about}", ""]
        lines += [_line(self.columns), _line(["---", *["---:"] * (len(self.columns) - 1)])]
        return "\n".join([*lines, *map(_line, self.rows), ""])


@dataclass(frozen=True, slots=True)
class Duel:
    """One case: our work and the reference's, each of ``units`` units per call."""

    case: str
    ours: Work
    reference: Work
    units: int = 1


def duel_table(
    title: str, about: str, duels: Iterable[Duel], *, unit: Callable[[float], str], rounds: int, reference: str
) -> Table:
    """Return the outcome of duels: medians of the time per unit, told by ``unit``, and the median of all ratios.

    A ratio above 1 says how many times quicker than the reference we are. Each side runs once before the first round.
    """
    columns = (title, "tokenboard", reference, "times as quick")
    return Table(title, about, columns, tuple(_fight(duel, unit, rounds) for duel in duels))


def microseconds(seconds: float) -> str:
    """Tell a time per unit in microseconds."""
    return f"{figure(seconds * 1e6)} µs"


def milliseconds(seconds: float) -> str:
    """Tell a time per unit in milliseconds."""
    return f"{figure(seconds * 1e3)} ms"


def per_second(seconds: float) -> str:
    """Tell a time per unit as units a second."""
    return f"{1 / seconds:,.0f} /s"


def figure(value: float) -> str:
    """Write a number with two digits at least."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted values lie, by nearest rank."""
    return sorted_values[min(int(share * len(sorted_values)), len(sorted_values) - 1)]


def _fight(duel: Duel, unit: Callable[[float], str], rounds: int) -> tuple[str, ...]:
    duel.ours()
    duel.reference()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        # Always in this order: each side finds the caches as the other has left them, every time.
        ours.append(clocked(duel.ours))
        theirs.append(clocked(duel.reference))
    ratio = median(their / our for our, their in zip(ours, theirs, strict=True))
    return duel.case, unit(median(ours) / duel.units), unit(median(theirs) / duel.units), f"{figure(ratio)} ×"


def clocked(work: Work) -> float:
    """Return how long it takes, in seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
