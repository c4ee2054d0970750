"""Which models a list holds, and in which order: the parameters of OpenRouter's ``GET /models``.

An unknown property of a model passes no filter. A parameter of OpenRouter's that needs data never known here is
refused, not ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tokenboard.problem import Problem

Entry = dict[str, Any]
_Test = Callable[[Entry], bool]

_OUTPUTS = (
    "text", "image", "embeddings", "audio", "video", "rerank", "decisions", "speech", "transcription",
)  # fmt: skip
_INPUTS = ("text", "image", "audio", "file", "video")
_ALL = "all"
_LONGEST = 200
_MOST_DIGITS = 15

_ORDERS: Mapping[str, Callable[[Entry], int]] = MappingProxyType(
    {"newest": lambda model: -model["created"], "context-high-to-low": lambda model: -(model["context_length"] or 0)}
)
_NEVER_LOOKS = "it would need the content of prompts, which this board never looks at."
_NOT_KNOWN = "this board does not know it of its models."
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "category": _NEVER_LOOKS,
        **dict.fromkeys(
            (
                "min_price", "max_price", "min_output_price", "max_output_price", "arch", "providers", "distillable",
                "zdr", "region", "min_age_days", "max_age_days", "min_intelligence_index", "max_intelligence_index",
                "min_coding_index", "max_coding_index", "min_agentic_index", "max_agentic_index",
                "min_tool_success_rate", "max_tool_success_rate",
            ),
            _NOT_KNOWN,
        ),
    }
)  # fmt: skip
"""The parameters that are not supported, each with the reason."""


def choose(listed: Sequence[Entry], given: Mapping[str, str]) -> list[Entry]:
    """Return the models that the parameters ask for: those of which each holds, in their order or the one asked for.

    Raises:
        Problem: 400, a parameter has a value that it does not allow, or is not supported here.

    """
    for name in REFUSED.keys() & given.keys():
        raise _refusal(name, f"is not supported here: {REFUSED[name]} Leave it out.")
    tests = [make(given[name]) for name, make in _TESTS.items() if name in given]
    chosen = [model for model in listed if all(test(model) for test in tests)]
    if "sort" in given:
        order = _ORDERS.get(given["sort"])
        if order is None:
            raise _refusal("sort", f"must be one of: {', '.join(_ORDERS)}; {_NOT_KNOWN.removesuffix('.')} for another.")
        chosen.sort(key=order)
    return chosen


def _by_name(text: str) -> _Test:
    if not 0 < len(text) <= _LONGEST:
        raise _refusal("q", f"must be 1 to {_LONGEST} characters.")
    wanted = text.casefold()
    return lambda model: wanted in model["id"].casefold() or wanted in model["name"].casefold()


def _by_output(text: str) -> _Test:
    if text == _ALL:
        return lambda _: True
    wanted = _names("output_modalities", text, (*_OUTPUTS, _ALL))
    return lambda model: not wanted.isdisjoint(model["architecture"]["output_modalities"])


def _by_input(text: str) -> _Test:
    wanted = _names("input_modalities", text, _INPUTS)
    return lambda model: not wanted.isdisjoint(model["architecture"]["input_modalities"])


def _by_supported(text: str) -> _Test:
    wanted = _names("supported_parameters", text, None)
    return lambda model: wanted <= set(model["supported_parameters"])


def _by_context(text: str) -> _Test:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise _refusal("context", "must be a whole number of tokens.")
    least = int(text)
    return lambda model: (model["context_length"] or 0) >= least


def _by_author(text: str) -> _Test:
    wanted = {name.casefold() for name in _names("model_authors", text, None)}
    return lambda model: model["id"].partition("/")[0].casefold() in wanted and "/" in model["id"]


_TESTS: Mapping[str, Callable[[str], _Test]] = MappingProxyType(
    {
        "q": _by_name,
        "output_modalities": _by_output,
        "input_modalities": _by_input,
        "supported_parameters": _by_supported,
        "context": _by_context,
        "model_authors": _by_author,
    }
)

HONOURED = (*_TESTS, "sort")
"""The supported parameters; ``offset`` and ``limit`` are those of paging."""


def _names(parameter: str, text: str, allowed: Sequence[str] | None) -> set[str]:
    names = {name.strip() for name in text.split(",")}
    if not all(names) or len(text) > _LONGEST:
        raise _refusal(parameter, f"must be names with commas between, {_LONGEST} characters at most.")
    if allowed is not None and not names <= set(allowed):
        raise _refusal(parameter, f"must be of these, with commas between: {', '.join(allowed)}.")
    return names


def _refusal(parameter: str, what: str) -> Problem:
    return Problem(400, f"{parameter} {what}", param=parameter)
