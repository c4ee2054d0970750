"""Run all benchmarks, or those named, and print their tables as Markdown."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from types import MappingProxyType

from benchmarks import hostile, ingest, pages, record, rules
from benchmarks.gateway import memory, rounds
from benchmarks.rankings import rounds as rankings
from benchmarks.table import Table

SUBJECTS: Mapping[str, Callable[[], Iterator[Table]]] = MappingProxyType(
    {
        "rules": rules.tables,
        "rankings": rankings.tables,
        "record": record.tables,
        "ingest": ingest.tables,
        "gateway": rounds.tables,
        "gateway-memory": memory.tables,
        "pages": pages.tables,
        "hostile": hostile.tables,
    }
)
LONG = frozenset({"gateway-memory", "hostile"})
"""Subjects measured only when they are named."""


def main() -> None:
    """Measure what the command line names; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "subject", nargs="*", type=_subject, help=f"{', '.join(SUBJECTS)}; without any, all but {', '.join(LONG)}"
    )
    subjects: list[str] = parser.parse_args().subject or [subject for subject in SUBJECTS if subject not in LONG]
    print(_machine(), "\n")
    for subject in subjects:
        begun = time.monotonic()
        for table in SUBJECTS[subject]():
            print(table.markdown(), flush=True)
        print(f"{subject}: {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _subject(name: str) -> str:
    if name not in SUBJECTS:
        raise argparse.ArgumentTypeError(f"there is no benchmark {name!r}; there are: {', '.join(SUBJECTS)}")
    return name


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"chDB {version('chdb')}, clickhouse-connect {version('clickhouse-connect')}, NumPy {version('numpy')}."
    )


if __name__ == "__main__":
    main()
