"""The files that pages load: read once, addressed by their content, so that browsers keep them for ever."""

import gzip
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.resources import files

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, plain and compressed."""

    media_type: str
    body: bytes = field(repr=False)
    packed: bytes = field(repr=False)


def own_address(name: str) -> str:
    """Return the path of a file by its own name, for what is no page but looks like one."""
    return Assets().address(name)


class Assets:
    """Every file of ``static``; unknown names raise KeyError."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        for entry in (files("tokenboard.web") / "static").iterdir():
            stem, _, ending = entry.name.rpartition(".")
            if ending not in _TYPES:
                continue
            body = entry.read_bytes()
            name = f"{stem}.{blake2b(body, digest_size=6).hexdigest()}.{ending}"
            self._addresses[entry.name] = f"/static/{name}"
            self._assets[name] = Asset(_TYPES[ending], body, gzip.compress(body, mtime=0))

    def address(self, name: str) -> str:
        """Return the path of a file by its own name."""
        return self._addresses[name]

    def find(self, name: str) -> Asset | None:
        """Return a file by the last part of its path."""
        return self._assets.get(name)
