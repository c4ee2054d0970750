"""Query parameters, parsed strictly: an error names the parameter."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from tokenboard.attribution import GROUPS
from tokenboard.query.errors import ParameterError, quoted
from tokenboard.query.window import Window, resolve_window

_DIGITS = re.compile(r"0*([0-9]{1,10})")
_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
_NONE: Mapping[str, str] = MappingProxyType({})

Value = TypeVar("Value", bound=StrEnum)


class Parameters:
    """The parameters of one query, of which only ``names`` are looked at; others are ignored, even twice.

    ``refused`` are parameters of the reference that this board cannot honour, each with why: they are never ignored.
    ``lenient`` is how forms of pages are read: values are stripped, and an empty one counts as absent.

    Raises, from the constructor and any method: ParameterError, which names the parameter and what it allows.
    """

    def __init__(
        self,
        given: Mapping[str, str] | Iterable[tuple[str, str]],
        names: Collection[str],
        *,
        refused: Mapping[str, str] = _NONE,
        lenient: bool = False,
    ) -> None:
        self._given: dict[str, str] = {}
        for name, value in given.items() if isinstance(given, Mapping) else given:
            if name in refused:
                raise ParameterError(name, f"{name} is not supported here: {refused[name]} Leave it out.")
            if name in names:
                if name in self._given:
                    raise ParameterError(name, f"{name} is given more than once; give it once.")
                self._given[name] = value.strip() if lenient else value
        if lenient:
            self._given = {name: value for name, value in self._given.items() if value}

    def get(self, name: str) -> str | None:
        """Return a value as it was given, None when it was not."""
        return self._given.get(name)

    def choice(self, name: str, default: Value, allowed: Iterable[Value] | None = None) -> Value:
        """Return one of an enumeration's values, all of them or those ``allowed``."""
        if name not in self._given:
            return default
        kind = type(default)
        return kind(self._one_of(name, [each.value for each in kind if allowed is None or each in allowed]))

    def filter(self, name: str, allowed: Collection[str], *, refused: Mapping[str, str] = _NONE) -> str | None:
        """Return one of the allowed values, None when it is not given.

        ``refused`` are values of the reference that this board cannot honour, each with why.
        """
        if name not in self._given:
            return None
        value = self._given[name]
        if value in refused:
            raise ParameterError(
                name, f"{name} {value} is not supported here: {refused[value]} Allowed: {', '.join(allowed)}."
            )
        return self._one_of(name, allowed)

    def number(self, name: str, least: int, most: int, default: int) -> int:
        """Return a whole number."""
        return parse_number(name, self._given[name], least, most) if name in self._given else default

    def text(self, name: str, longest: int, default: str | None = "") -> str:
        """Return a text of at most so many characters; with a default of None it must be given, and not be empty."""
        value = self._given.get(name, default)
        if value is None or (default is None and not value.strip()):
            raise ParameterError(name, f"{name} is missing; give it.")
        if len(value) > longest:
            raise ParameterError(name, f"{name} has {len(value)} characters; at most {longest} are allowed.")
        return value

    def categories(self) -> tuple[str | None, str | None]:
        """Return ``category``, a group, and ``subcategory``, one of its categories; None where not given."""
        category = self.filter("category", GROUPS)
        subcategory = self.filter("subcategory", _GROUP_OF)
        if category is not None and subcategory is not None and (group := _GROUP_OF[subcategory]) != category:
            raise ParameterError(
                "subcategory",
                f"subcategory {subcategory} does not belong to category {category} but to {group}; use "
                f"category={group}, leave category out, or choose one of: {', '.join(GROUPS[category])}.",
            )
        return category, subcategory

    def window(self, *, floor: date, today: date) -> Window:
        """Return the window of ``start_date`` and ``end_date``; see `resolve_window`."""
        return resolve_window(self._given.get("start_date"), self._given.get("end_date"), floor=floor, today=today)

    def _one_of(self, name: str, allowed: Collection[str]) -> str:
        value = self._given[name]
        if value not in allowed:
            how = ", in lower case" if all(each == each.lower() for each in allowed) else ""
            raise ParameterError(name, f"{name} {quoted(value)} is not known; allowed{how}: {', '.join(allowed)}.")
        return value


def parse_number(name: str, value: str, least: int, most: int) -> int:
    """Return the whole number that a text writes in ASCII digits; raises ParameterError."""
    digits = _DIGITS.fullmatch(value)
    if digits is None or not least <= int(digits[1]) <= most:
        raise ParameterError(name, f"{name} {quoted(value)} is not allowed; use a whole number from {least} to {most}.")
    return int(digits[1])
