"""HTTP fields read slowly, one character after another, straight from the text of RFC 9110."""

from collections.abc import Sequence

TOKEN = set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def split(lines: Sequence[str]) -> list[str]:
    """Section 5.6.1: members between commas that stand in no quoted string (5.6.4)."""
    found, member, quoted, escaped = [], "", False, False
    for character in ",".join(lines):
        if quoted:
            member += character
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == ",":
            found.append(member)
            member = ""
        else:
            member += character
            quoted = character == '"'
    found.append(member)
    return [member.strip(" \t") for member in found if member.strip(" \t")]


def parts(member: str) -> tuple[str, dict[str, list[str]]] | None:
    """Section 5.6.6: the value, and the values of each parameter by its name; None when it is malformed."""
    pieces, piece, quoted, escaped = [], "", False, False
    for character in member:
        if quoted:
            piece += character
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == ";":
            pieces.append(piece)
            piece = ""
        else:
            piece += character
            quoted = character == '"'
    pieces.append(piece)
    value, *rest = [piece.strip(" \t") for piece in pieces]
    found: dict[str, list[str]] = {}
    if '"' in value:
        return None
    for parameter in rest:
        if not parameter:
            continue
        name, equals, said = parameter.partition("=")
        if not equals or not is_token(name):
            return None
        if said.startswith('"'):
            text = unquoted(said)
            if text is None:
                return None
        elif is_token(said):
            text = said
        else:
            return None
        found.setdefault(name.lower(), []).append(text)
    return value, found


def unquoted(said: str) -> str | None:
    text, at = "", 1
    while at < len(said):
        if said[at] == '"':
            return text if at == len(said) - 1 else None
        if said[at] == "\\":
            at += 1
            if at == len(said):
                return None
        text += said[at]
        at += 1
    return None


def is_token(text: str) -> bool:
    return bool(text) and all(character in TOKEN for character in text)


def weight(text: str) -> float | None:
    """Section 12.4.2: 0 to 1 with three decimals at most."""
    whole, _, decimals = text.partition(".")
    if whole not in {"0", "1"} or len(decimals) > 3 or not all(digit in "0123456789" for digit in decimals):
        return None
    return float(text) if float(text) <= 1 else None


def weighted(lines: Sequence[str]) -> list[tuple[str, float]]:
    found = []
    for member in split(lines):
        read = parts(member)
        if read is None or not all(is_token(half) for half in read[0].split("/")):
            continue
        weights = [weight(text) for text in read[1].get("q", [])]
        if None not in weights:
            found.append((read[0].lower(), weights[0] if weights and weights[0] is not None else 1.0))
    return found


def preferred(lines: Sequence[str], offered: Sequence[str]) -> str | None:
    """Section 12.5.1, ties as the docstring of ours says."""
    if not lines:
        return offered[0] if offered else None
    asked = weighted(lines)
    standings = []
    for place, media in enumerate(offered):
        exact = [(q, n) for n, (name, q) in enumerate(asked) if name == media]
        kind = [(q, n) for n, (name, q) in enumerate(asked) if name == media.split("/")[0] + "/*"]
        every = [(q, n) for n, (name, q) in enumerate(asked) if name == "*/*"]
        for precision, named in ((2, exact), (1, kind), (0, every)):
            if named:
                quality = max(q for q, _ in named)
                earliest = min(n for q, n in named if q == quality)
                if quality > 0:
                    standings.append((-quality, -precision, earliest, place))
                break
    return offered[min(standings)[3]] if standings else None


def accepts_gzip(lines: Sequence[str]) -> bool:
    """Section 12.5.3."""
    asked = weighted(lines)
    named = [q for name, q in asked if name in {"gzip", "x-gzip"}]
    if not named:
        named = [q for name, q in asked if name == "*"]
    plain = [q for name, q in asked if name == "identity"]
    return max(named, default=0.0) > 0 and max(named) >= max(plain, default=0.0)


def none_match(lines: Sequence[str], etag: str) -> bool:
    """Sections 13.1.2 and 8.8.3: tags hold no escape, so that a quote always ends one."""
    value = ",".join(lines)
    if value.strip(" \t") == "*":
        return True
    while value:
        value = value.lstrip(" \t")
        tag = value.removeprefix("W/")
        if tag.startswith('"') and '"' in tag[1:]:
            opaque, after = tag[1:].split('"', 1)
            rest = after.lstrip(" \t")
            if not any(c <= " " or c == "\x7f" for c in opaque) and (not rest or rest.startswith(",")):
                if f'"{opaque}"' == etag.removeprefix("W/"):
                    return True
                value = rest[1:]
                continue
        _, _, value = value.partition(",")
    return False
