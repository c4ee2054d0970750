"""What the gateway is meant to reach, and whether a run did."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.table import Table, figure


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and its bound; ``measured`` is None where it could not be measured."""

    what: str
    bound: float
    measured: float | None
    at_least: bool = False
    unit: str = "ms"

    def row(self) -> tuple[str, ...]:
        """Return the goal, what was measured, and the verdict."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}"
        if self.measured is None:
            return self.what, bound, "—", "not measured"
        met = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        return self.what, bound, f"{figure(self.measured)} {self.unit}", "met" if met else "missed"


def goals_table(goals: Sequence[Goal], title: str = "Gateway: goals") -> Table:
    """Return the table of all goals of a subject."""
    about = "Medians over the rounds; what compares two proxies compares them within one round."
    return Table(title, about, (title, "goal", "this run", ""), tuple(goal.row() for goal in goals))
