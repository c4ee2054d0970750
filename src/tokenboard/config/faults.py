"""What is wrong with settings, said to an operator: place, dotted path, remedy. Values are not repeated."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tokenboard.config.names import SEPARATOR, nearest, section_of, variable_of
from tokenboard.config.settings import Settings

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text, in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "date_type": "must be a date such as 2025-01-31",
    "date_parsing": "must be a date such as 2025-01-31",
    "date_from_datetime_parsing": "must be a date such as 2025-01-31",
    "date_from_datetime_inexact": "must be a date such as 2025-01-31, without a time",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
}
"""Our words for pydantic's kinds of fault, filled with their facts."""


def unknown_names(given: Any, model: type[BaseModel], place: str, path: tuple[str | int, ...] = ()) -> Iterator[str]:
    """Yield a sentence for every name that ``model`` does not know, at any depth."""
    for name, value in given.items():
        field = model.model_fields.get(name)
        if field is None:
            yield f"{place}: unknown setting {_dotted((*path, name))}{nearest(name, list(model.model_fields))}"
            continue
        section = section_of(field.annotation)
        if section is None:
            continue
        if isinstance(value, dict):
            yield from unknown_names(value, section, place, (*path, name))
        elif isinstance(value, list):
            for position, entry in enumerate(value):
                if isinstance(entry, dict):
                    yield from unknown_names(entry, section, place, (*path, name, position))


def explain(error: ValidationError, file: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for every wrong value; unknown names are left to `unknown_names`."""
    given = {name.upper(): name for name in environment}
    for fault in error.errors(include_input=False, include_url=False):
        location = fault["loc"]
        inside = variable_of(str(part) for part in location) + SEPARATOR
        if fault["type"] == "tuple_type" and any(name.startswith(inside) for name in given):
            # No variable reaches into a list: the one that tries is told as unknown.
            continue
        if fault["type"] == "extra_forbidden":
            continue
        meaning, tables = _setting_at(location)
        remedy = _LIST_OF_TABLES.format(location[-1]) if tables and fault["type"] == "tuple_type" else _remedy(fault)
        yield f"{_place(location, file, given)}: {_dotted(location)} {remedy}{meaning and f' ({meaning})'}"


_LIST_OF_TABLES = "must be a list of tables: write [[{}]] above each"


def _remedy(fault: ErrorDetails) -> str:
    words = _WORDS.get(fault["type"])
    if words is None:
        return fault["msg"].removeprefix("Value error, ")
    return words.format(**fault.get("ctx", {}))


def _place(location: tuple[str | int, ...], file: str, given: Mapping[str, str]) -> str:
    """Return where a faulty value comes from: the variable that set it or what holds it, else the file."""
    for length in range(len(location), 0, -1):
        variable = variable_of(str(part) for part in location[:length])
        if variable in given:
            return f"environment variable {given[variable]}"
    return file or "environment"  # a whole section's fault, where there is no file


def _setting_at(location: tuple[str | int, ...]) -> tuple[str, bool]:
    """Return a setting's own description, without its full stop, and whether it is a section or a list of them."""
    model: type[BaseModel] | None = Settings
    description = ""
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if model is not None else None
        if field is None:
            break
        description, model = field.description or "", section_of(field.annotation)
    return description.rstrip("."), model is not None


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
