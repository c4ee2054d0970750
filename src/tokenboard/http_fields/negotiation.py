"""``Accept`` and ``Accept-Encoding``: what a client would rather have (RFC 9110 sections 12.4 and 12.5)."""

import re
from collections.abc import Iterable, Sequence

from tokenboard.http_fields.grammar import is_token, members, with_parameters

_weight = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_GZIP = frozenset({"gzip", "x-gzip"})  # one coding by two names, section 8.4.1.3


def preferred(lines: Iterable[str], offered: Sequence[str]) -> str | None:
    """Return the media type of ``offered`` that an ``Accept`` asks for, None when it takes none of them.

    ``offered`` are types without parameters, in lower case. For each the most specific range counts, and quality 0
    refuses it. Of equal quality is chosen what was named more precisely, then what was named earlier, then what is
    offered earlier. Parameters of a range other than its quality are ignored. Without an ``Accept`` it is the
    first.
    """
    given = list(lines)
    if not given:
        return offered[0] if offered else None
    ranges = [(media, quality, place) for place, (media, quality) in enumerate(_weighted(given))]
    best: tuple[float, int, int] | None = None
    chosen: str | None = None
    for media in offered:
        for precision, name in ((2, media), (1, f"{media.partition('/')[0]}/*"), (0, "*/*")):
            named = [(quality, -place) for each, quality, place in ranges if each == name]
            if named:
                quality, place = max(named)
                preference = (quality, precision, place)
                if quality > 0 and (best is None or preference > best):
                    best, chosen = preference, media
                break
    return chosen


def accepts_gzip(lines: Iterable[str]) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip, and would not rather have the bytes as they are.

    Without the field nothing is compressed: a client that takes gzip says so.
    """
    qualities: dict[str, float] = {}
    for coding, quality in _weighted(lines):
        name = "gzip" if coding in _GZIP else coding
        qualities[name] = max(quality, qualities.get(name, 0.0))
    packed = qualities.get("gzip", qualities.get("*", 0.0))
    return packed > 0 and packed >= qualities.get("identity", 0.0)


def _weighted(lines: Iterable[str]) -> list[tuple[str, float]]:
    """Return the members with their qualities, 1 where none is given, in lower case; those with a wrong one are out."""
    found: list[tuple[str, float]] = []
    for member in members(lines):
        read = with_parameters(member)
        if read is None or not all(map(is_token, read.value.split("/"))):
            continue
        weights = [value for name, value in read.parameters if name == "q"]
        if all(_weight.fullmatch(weight) for weight in weights):
            found.append((read.value.lower(), float(weights[0]) if weights else 1.0))
    return found
