"""The query parameters that pages know, and the canonical form in which a query is a key of a cache.

Whatever else a query holds is ignored, everywhere alike: it reaches no page and no key of a cache.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenboard.query import ParameterError
from tokenboard.web.layout import Query


@dataclass(frozen=True, slots=True)
class Parameter:
    """``default`` is the value that says what its absence says; ``number`` that ``007`` is ``7``."""

    name: str
    default: str = ""
    number: bool = False


SPAN = (Parameter("period"), Parameter("start_date"), Parameter("end_date"))
CATEGORY = (Parameter("category"), Parameter("subcategory"))
SORT = Parameter("sort", "popular")
METRIC = Parameter("metric", "tokens")
OFFSET = Parameter("offset", "0", number=True)
SEARCH = Parameter("q")
SIZE = Parameter("size", "wide")


def canonical(given: Iterable[tuple[str, str]], known: Iterable[Parameter]) -> Query:
    """Return the known ones of a query's parameters, stripped and by name, those left out that ask for the default.

    Raises:
        ParameterError: one is given twice.

    """
    parameters = {each.name: each for each in known}
    found: dict[str, str] = {}
    for name, text in given:
        parameter = parameters.get(name)
        if parameter is None:
            continue
        if name in found:
            raise ParameterError(name, f"{name} is given more than once; give it once.")
        value = text.strip()
        if parameter.number and value.isascii() and value.isdigit():
            found[name] = value.lstrip("0") or "0"
        else:
            found[name] = value
        if found[name] == parameter.default:
            found[name] = ""
    return tuple(sorted((name, value) for name, value in found.items() if value))
