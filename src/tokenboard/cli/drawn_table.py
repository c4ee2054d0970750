"""Tables as a terminal shows them."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def draw_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table for this terminal; cells are text, never markup."""
    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")  # what does not fit goes on below: nothing is left out
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    with console.capture() as drawn:
        console.print(table)
    return drawn.get().rstrip("\n")
