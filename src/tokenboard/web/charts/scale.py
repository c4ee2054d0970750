"""The value axis: a round top, few round steps, labels in compact numbers. Integers throughout."""

from dataclasses import dataclass

from tokenboard.web.numbers import compact


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from 0 to ``top`` in ``steps`` equal steps; ``top`` and each step are exact integers.

    Without a value above zero there is no step, and nothing is labelled but 0.
    """

    top: int
    steps: int

    def part(self, value: int) -> float:
        """Return where a value stands, 0 at the bottom and 1 at the top; the quotient of two exact integers."""
        return round(value / self.top, 6)

    def positions(self) -> list[float]:
        """Return where the steps stand, from 0 to 1."""
        return [step / self.steps for step in range(self.steps + 1)] if self.steps else [0.0]

    def labels(self) -> list[str]:
        """Return what the steps are called."""
        return [compact(self.top * step // self.steps) for step in range(self.steps + 1)] if self.steps else ["0"]


def scale_to(highest: int, most_steps: int) -> Scale:
    """Return the scale with the smallest step of 1, 2 or 5 times a power of ten that needs at most ``most_steps``."""
    if highest <= 0:
        return Scale(1, 0)
    power = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * power
            steps = -(-highest // step)
            if steps <= most_steps:
                return Scale(step * steps, steps)
        power *= 10
