"""Run all benchmarks, or those named, and print their tables as Markdown."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version

from benchmarks import catalog, hostile, ingest, pages, record, rules, shipping
from benchmarks.build import what_ran
from benchmarks.gateway import memory, rounds, scaling
from benchmarks.gateway.plan import PROXIES, ROUNDS, Plan, chosen
from benchmarks.hot_path import sides
from benchmarks.rankings import rounds as rankings
from benchmarks.table import Table

Subject = Callable[[], Iterator[Table]]
LONG = frozenset({"gateway-memory", "hostile"})
"""Subjects measured only when they are named."""


def main() -> None:
    """Measure what the command line names; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", help=f"{', '.join(_subjects(Plan()))}; without any, all but {_LONG_TOLD}")
    parser.add_argument(
        "--rounds",
        type=_count,
        default=ROUNDS,
        help=f"of the gateway's subjects; {ROUNDS} without it, fewer for a look",
    )
    parser.add_argument(
        "--proxies",
        type=_proxies,
        default=PROXIES,
        help=f"of the gateway's subjects: {', '.join(PROXIES)}; all without it",
    )
    asked = parser.parse_args()
    subjects = _subjects(Plan(asked.rounds, asked.proxies))
    if unknown := [name for name in asked.subject if name not in subjects]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(subjects)}")
    print(_machine(), "\n")
    for name in asked.subject or [name for name in subjects if name not in LONG]:
        begun = time.monotonic()
        for table in subjects[name]():
            print(table.markdown(what_ran()), flush=True)
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _subjects(plan: Plan) -> Mapping[str, Subject]:
    return {
        "rules": rules.tables,
        "hot-path": sides.tables,
        "rankings": rankings.tables,
        "record": record.tables,
        "catalog": catalog.tables,
        "ingest": ingest.tables,
        "shipping": shipping.tables,
        "gateway": partial(rounds.tables, plan),
        "gateway-cores": partial(scaling.tables, plan),
        "gateway-memory": memory.tables,
        "pages": pages.tables,
        "hostile": hostile.tables,
    }


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


def _proxies(text: str) -> tuple[str, ...]:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {what_ran().removesuffix('.')}, "
        f"chDB {version('chdb')}, clickhouse-connect {version('clickhouse-connect')}, NumPy {version('numpy')}."
    )


_LONG_TOLD = ", ".join(sorted(LONG))


if __name__ == "__main__":
    main()
