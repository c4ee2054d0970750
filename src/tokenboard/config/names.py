"""The names of settings: in the file, dotted; in the environment, ``TOKENBOARD_SECTION__NAME``."""

import difflib
import typing
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel

PREFIX = "TOKENBOARD_"
"""Beginning of every variable."""

SEPARATOR = "__"
"""Between a section and a setting in a variable's name."""

_LISTED = 30


def variables(model: type[BaseModel]) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return every variable by name: the path of its setting and that setting's type.

    A section and a list of tables can be given as a whole, in JSON; what is in a list has no variables of its own.
    """
    return {variable_of(path): (path, annotation) for path, annotation in _settings(model, ())}


def variable_of(path: typing.Iterable[str]) -> str:
    """Return the variable for a setting's path, such as ``("server", "port")``."""
    return PREFIX + SEPARATOR.join(path).upper()


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a type holds, alone or as the items of a tuple."""
    candidates = [annotation, *typing.get_args(annotation)]
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def is_structured(annotation: Any) -> bool:
    """Whether a setting of this type is a section or a list of tables."""
    return section_of(annotation) is not None


def nearest(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest known one, or all there are."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(sorted(known)[:_LISTED])}"


def _settings(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        yield here, field.annotation
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, here)
