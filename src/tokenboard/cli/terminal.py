"""Speaking to a person or a script: tables, JSON, errors with a hint."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import typer


class OutputError(Exception):
    """What a command has to say cannot be written."""

    hint = "Check where standard output goes: a full disk, or a program that has ended."


def report(error: Exception) -> bool:
    """Print an expected error on standard error, with its hint; False when it is not one.

    Expected is an error with a ``hint``, which says how to fix it. Any other is internal and shows its traceback.
    """
    hint = getattr(error, "hint", None)
    if not isinstance(hint, str):
        return False
    for number, line in enumerate(str(error).split("\n")):
        typer.echo(f"{'       ' if number else 'error: '}{visible(line)}", err=True)
    typer.echo(f"hint: {visible(hint)}", err=True)
    return True


def say(text: str) -> None:
    """Print lines on standard output. A reader that has gone, as `head` does, ends the command without a fault.

    Raises:
        OutputError: the output cannot be written.

    """
    try:
        deliver(text)
    except OutputError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise typer.Exit from error
        raise


def deliver(text: str) -> None:
    """Print lines that must arrive, such as a secret shown once; raises OutputError also when the reader has gone."""
    try:
        typer.echo(text)
    except OSError as error:
        # What could not be written must not be tried again at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: drawn at a terminal; elsewhere one line a row, tab-separated, without a head.

    Cells are data: neither markup nor what would steer a terminal takes effect, and a cell holds no tab or line break.
    """
    cells = (["" if cell is None else visible(str(cell)) for cell in row] for row in rows)
    # Standard output is None when the caller has closed it.
    if sys.stdout is None or not sys.stdout.isatty():
        for row in cells:
            say("\t".join(row))
        return
    # Loaded here only: most of what is run has no table to draw.
    say(import_module("tokenboard.cli.drawn_table").draw_table(columns, cells))


def show_json(value: Any) -> None:
    """Print one JSON value on one line, in ASCII: right for any terminal, locale and script."""
    say(as_json_line(value))


def as_json_line(value: Any) -> str:
    """Return one JSON value on one line, in ASCII."""
    return json.dumps(value, default=str)


def visible(text: str) -> str:
    """Return the text with every character that a terminal would obey instead of show written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def counted(number: int, noun: str) -> str:
    """Return a number in full with what it counts: ``1 month``, ``1,200 apps``."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def at(epoch_ms: int | None) -> str:
    """Return a time for people: UTC, to the minute."""
    return "" if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
