"""A catalog whose changes are in force at once: what a board's follower does, for rigs without its thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from tokenboard.catalog import Catalog

Reads = dict[str, Callable[[], object]]


def follow(catalog: Catalog) -> Reads:
    """Return a table: after each change through this catalog, everything in it is called."""
    reads: Reads = {}
    writing = catalog._database.writing

    @contextmanager
    def writing_then_reading() -> Iterator[Connection]:
        with writing() as connection:
            yield connection
        for read in list(reads.values()):
            read()

    catalog._database.writing = writing_then_reading  # type: ignore[method-assign]
    return reads
