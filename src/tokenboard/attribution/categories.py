"""The marketplace categories of an app."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from types import MappingProxyType

from tokenboard.attribution.url import decoded

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "coding": ("cli-agent", "ide-extension", "cloud-agent", "programming-app", "native-app-builder"),
        "creative": ("creative-writing", "video-gen", "image-gen", "audio-gen"),
        "productivity": ("writing-assistant", "general-chat", "personal-agent", "legal"),
        "entertainment": ("roleplay", "game"),
    }
)
"""The four groups and their categories. A group's name is not a category."""

CATEGORIES: frozenset[str] = frozenset(chain.from_iterable(GROUPS.values()))
"""The fifteen."""

MAX_REQUEST_CATEGORIES = 2
"""Categories that one request may name."""

MAX_APP_CATEGORIES = 10
"""Categories that an app can have over time."""

MAX_CATEGORY_LENGTH = 30
"""Characters of one item; a longer one is ignored unread."""

# What is reported back is bounded too: items looked at, and characters of an ignored item.
_MAX_ITEMS = 64
_MAX_REPORTED_LENGTH = 200


class IgnoredReason(StrEnum):
    """Why a category of a request was ignored."""

    TOO_LONG = "too_long"
    UNRECOGNIZED = "unrecognized"
    DUPLICATE = "duplicate"
    OVER_REQUEST_LIMIT = "over_request_limit"


@dataclass(frozen=True, slots=True)
class IgnoredCategory:
    """An item that was ignored, as sent (at most 200 characters, unprintable ones replaced), and why."""

    value: str
    reason: IgnoredReason


def read_categories(lines: Iterable[bytes]) -> tuple[tuple[str, ...], tuple[IgnoredCategory, ...]]:
    """Return the accepted categories, at most two, and the ignored items, both in order.

    Items are divided by commas over all lines; empty ones are skipped. Only the first 64 others are looked at.
    """
    accepted: list[str] = []
    ignored: list[IgnoredCategory] = []
    for item in islice(_items(lines), _MAX_ITEMS):
        reason = _refusal(item, accepted)
        if reason is None:
            accepted.append(item)
        else:
            ignored.append(IgnoredCategory(_reported(item), reason))
    return tuple(accepted), tuple(ignored)


def merge_categories(existing: Sequence[str], new: Iterable[str]) -> tuple[str, ...]:
    """Return the app's categories with the new ones added in order; once an app has ten, new ones are ignored."""
    merged = list(existing)
    for category in new:
        if len(merged) >= MAX_APP_CATEGORIES:
            break
        if category not in merged:
            merged.append(category)
    return tuple(merged)


def _items(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        for part in line.split(b","):
            if part and (item := decoded(part).strip()):
                yield item


def _refusal(item: str, accepted: Sequence[str]) -> IgnoredReason | None:
    if len(item) > MAX_CATEGORY_LENGTH:
        return IgnoredReason.TOO_LONG
    if item not in CATEGORIES:
        return IgnoredReason.UNRECOGNIZED
    if item in accepted:
        return IgnoredReason.DUPLICATE
    if len(accepted) >= MAX_REQUEST_CATEGORIES:
        return IgnoredReason.OVER_REQUEST_LIMIT
    return None


def _reported(item: str) -> str:
    """Make an item safe to print on a terminal and short enough to send back."""
    value = item[:_MAX_REPORTED_LENGTH]
    return value if value.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in value)
