"""Query parameters, parsed strictly: what is wrong with one is told by its name, as a ParameterError."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from types import MappingProxyType

from fastapi import Request

from tokenboard.attribution import GROUPS
from tokenboard.rankings import ParameterError, Window, resolve_window

_DIGITS = re.compile(r"0*([0-9]{1,10})")
_SHOWN = 40


_NONE: Mapping[str, str] = MappingProxyType({})


class Parameters:
    """The query of one request, of which only ``names`` are looked at; others are ignored, as in app-rankings.

    ``refused`` are parameters of the reference that this board cannot honour, each with why: they are never ignored.

    Raises, from the constructor and any method: ParameterError, which names the parameter and what it allows.
    """

    def __init__(self, request: Request, names: Collection[str], *, refused: Mapping[str, str] = _NONE) -> None:
        self._given: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name in refused:
                raise ParameterError(name, f"{name} is not supported here: {refused[name]} Leave it out.")
            if name in names:
                if name in self._given:
                    raise ParameterError(name, f"{name} is given more than once; give it once.")
                self._given[name] = value

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of the allowed values."""
        value = self._given.get(name, default)
        if value not in allowed:
            raise ParameterError(name, f"{name} {_shown(value)} is not known; allowed: {', '.join(allowed)}.")
        return value

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
        return self.choice(name, allowed, value)

    def count(self, name: str, least: int, most: int, default: int) -> int:
        """Return a whole number."""
        return whole_number(name, self._given.get(name, str(default)), least, most)

    def text(self, name: str, longest: int, default: str | None = "") -> str:
        """Return a text of at most so many characters; with a default of None it must be given, and not be empty."""
        value = self._given.get(name, default)
        if value is None or (default is None and not value.strip()):
            raise ParameterError(name, f"{name} is missing; give it.")
        if len(value) > longest:
            raise ParameterError(name, f"{name} has {len(value)} characters; at most {longest} are allowed.")
        return value

    def window(self, *, floor: date, today: date) -> Window:
        """Return the window of ``start_date`` and ``end_date``, by the rules of app-rankings."""
        return resolve_window(self._given.get("start_date"), self._given.get("end_date"), floor=floor, today=today)

    def categories(self) -> tuple[str | None, str | None]:
        """Return ``category`` and ``subcategory``, None where not given, by the rules of app-rankings."""
        category, subcategory = self._given.get("category"), self._given.get("subcategory")
        if category is not None:
            self.choice("category", GROUPS, category)
        if subcategory is not None:
            groups = {name: group for group, names in GROUPS.items() for name in names}
            self.choice("subcategory", groups, subcategory)
            if category is not None and groups[subcategory] != category:
                raise ParameterError(
                    "subcategory",
                    f"subcategory {subcategory} does not belong to category {category} but to {groups[subcategory]}; "
                    f"leave category out, or use one of: {', '.join(GROUPS[category])}.",
                )
        return category, subcategory


def whole_number(name: str, value: str, least: int, most: int) -> int:
    """Return the whole number that a text writes; raises ParameterError."""
    digits = _DIGITS.fullmatch(value)
    if digits is None or not least <= int(digits[1]) <= most:
        raise ParameterError(name, f"{name} {_shown(value)} is not allowed; use a whole number from {least} to {most}.")
    return int(digits[1])


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
