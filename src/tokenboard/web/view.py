"""A page before it has a form: one frozen value that HTML and twins are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenboard.tables import Table
from tokenboard.web.layout import Layout


@dataclass(frozen=True, slots=True)
class View:
    """``template`` is filled with ``context`` and the layout; ``document`` is the JSON twin; ``table`` the CSV's.

    Integers in ``document`` that may pass 2**53 are decimal strings, as in the Data API. ``table`` is None where a
    page has no table.
    """

    layout: Layout
    template: str
    context: Mapping[str, Any]
    document: Mapping[str, Any] | None = None
    table: Callable[[], Table] | None = None
    status: int = 200


class Redirect(Exception):
    """The page is at another address of this board."""

    def __init__(self, path: str, *, permanent: bool = False) -> None:
        super().__init__(path)
        self.path = path
        self.permanent = permanent


class PageNotFound(Exception):
    """There is no such page: ``message`` says what was looked for; ``view`` may explain it better."""

    def __init__(self, message: str, view: View | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.view = view
