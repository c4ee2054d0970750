"""Logs: one JSON object a line on standard error, or plain text for a person at a terminal."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


_LONGEST = 2_000
"""Characters of one fact at most, and of one message; a traceback may have five times as many."""


class _JsonLines(logging.Formatter):
    def __init__(self, process: str | None) -> None:
        super().__init__()
        self._process = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._process,
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
        }
        # A fact never takes the place of one of these.
        entry = _facts(record) | entry
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = self.formatException(record.exc_info)[-5 * _LONGEST :]
        return json.dumps(entry)


class _PlainLines(logging.Formatter):
    def __init__(self, process: str | None) -> None:
        super().__init__()
        self._process = f"[{process}] " if process else ""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{at} {record.levelname.lower():7} {self._process}{record.getMessage()[:_LONGEST]}"
        line = _printable(f"{line} ({facts})" if facts else line)
        if record.exc_info and record.exc_info[1] is not None:
            # Indented, so that nothing in it looks like a line of its own.
            trace = self.formatException(record.exc_info)[-5 * _LONGEST :]
            line = "\n    ".join([line, *(_printable(part) for part in trace.splitlines())])
        return line


def _facts(record: logging.LogRecord) -> dict[str, object]:
    given = ((name, value) for name, value in record.__dict__.items() if name not in _STANDARD)
    return {name: value if isinstance(value, int | float | None) else str(value)[:_LONGEST] for name, value in given}


def _printable(text: str) -> str:
    """Return the text with line ends, control characters and lone surrogates spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def configure_logging(
    style: Literal["json", "plain"] = "json", level: str = "info", process: str | None = None
) -> None:
    """Send the program's logs to standard error; called once, by the composition root.

    ``process`` names this one in each line, where several write to one log.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(process) if style == "json" else _PlainLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These narrate their routine at info; the program says the same things itself, once.
    for chatty in ("alembic", "clickhouse_connect"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(part: str) -> logging.Logger:
    """Return the logger of one part, e.g. ``logger("drain")``; facts go in ``extra=``, never into the message."""
    return logging.getLogger(f"tokenboard.{part}")
