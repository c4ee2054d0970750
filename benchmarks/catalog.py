"""What the catalog's calls take on SQLite and on PostgreSQL, both of which sync what they commit."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.postgres import postgres_server

from benchmarks.table import Table, milliseconds, quantile
from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Catalog, Observation

_APPS = 10_000
_ROUNDS = 100

Call = Callable[[], object]


def tables() -> Iterator[Table]:
    """Measure both, on a catalog of 10,000 apps."""
    with TemporaryDirectory(prefix="tokenboard-bench-") as folder, postgres_server(durable=True) as server:
        figures = {}
        for engine, url in (("SQLite", f"sqlite:///{Path(folder) / 'catalog.sqlite'}"), ("PostgreSQL", server.url)):
            with closing(Catalog.open(url, new_app_limit=0)) as catalog:
                catalog.migrate()
                figures[engine] = {name: _times(call) for name, call in _calls(catalog).items()}
    rows = tuple(
        (name, *(cell for engine in figures for cell in _cells(figures[engine][name]))) for name in figures["SQLite"]
    )
    columns = ("Catalog", *(f"{engine}, {which}" for engine in figures for which in ("median", "99 of 100")))
    about = f"One caller; {_APPS:,} apps; PostgreSQL on this machine, by its Unix socket; both sync each commit."
    yield Table("Catalog", about, columns, rows)


def _calls(catalog: Catalog) -> dict[str, Call]:
    catalog.observe([_seen(number) for number in range(_APPS)])
    known = [_seen(number) for number in range(1000)]
    revision = catalog.revision()
    fresh, names = itertools.count(_APPS), itertools.count()
    return {
        "has anything changed": catalog.revision,
        "what has changed: nothing": lambda: catalog.changes(revision),
        "find an app by its URL": lambda: catalog.find("https://app77.example"),
        "search among names": lambda: catalog.apps("app99"),
        "all keys": catalog.keys,
        "1,000 events of known apps": lambda: catalog.observe(known),
        "1 new app": lambda: catalog.observe([_seen(next(fresh))]),
        "100 new apps": lambda: catalog.observe([_seen(next(fresh)) for _ in range(100)]),
        "rename an app": lambda: catalog.rename(7, f"Name {next(names)}", "bench"),
        "make a key": lambda: catalog.create_key(f"key {next(names)}", ["data"]),
    }


def _seen(number: int) -> Observation:
    url = f"https://app{number}.example"
    return Observation(AppIdentity.of(url, None), None, (), 1_700_000_000_000, 1_700_000_000_000, 1)


def _times(call: Call) -> list[float]:
    call()
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def _cells(times: list[float]) -> tuple[str, str]:
    return milliseconds(median(times)), milliseconds(quantile(sorted(times), 0.99))
