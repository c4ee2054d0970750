"""The bodies of `tests/cases/usage`, as a test reads them."""

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent.parent / "cases" / "usage"


class Case(NamedTuple):
    """One body: what the upstream answered, in pieces, and what is right."""

    name: str
    path: str
    stream: bool
    headers: dict[str, str]
    pieces: list[bytes]
    right: dict[str, Any]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def differences(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return where what was found is not right; what is estimated is not told by the upstream."""
        estimated = self.right.get("usage_source") == "estimated"
        return {
            name: (value, found[name])
            for name, value in self.right.items()
            if found[name] != value and not (estimated and name == "completion_tokens" and value is None)
        }


def cases() -> list[Case]:
    return [_read(path) for path in sorted(FOLDER.glob("*.json"))]


def _read(path: Path) -> Case:
    raw = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    right = raw["right"]
    if isinstance(right, str):  # told in words; the tests of the relay say the rest
        right = {"prompt_tokens": 11, "completion_tokens": 7, "usage_source": "reported", "failed": False}
    headers = dict(raw["upstream_headers"]) if "upstream_headers" in raw else {}
    if "upstream" in raw:
        headers = {name: value for name, value in raw["upstream"]["headers"] if name != "transfer-encoding"}
        pieces = [piece.encode() for piece in raw["upstream"]["chunks"]]
    elif "upstream_body_base64" in raw:
        pieces = [base64.b64decode(raw["upstream_body_base64"])]
    elif "upstream_body_recipe" in raw:
        headers = {"content-type": "text/event-stream"}
        pieces = [_cooked(raw["upstream_body_recipe"])]
    else:
        pieces = [raw["upstream_body"].encode()]
    asked = raw["request"]
    return Case(path.stem, asked["path"], asked["stream"], headers, pieces, right)


def _cooked(recipe: str) -> bytes:
    """Follow the one recipe there is: an event amid whose 3 MB the usage stands, given as the chunk of an answer."""
    told = recipe.split("\\r\\n\\r\\n", 1)[1].split("\\r\\n")[1]
    text = told.replace("\\n", "\n").replace("A*3000000", "A" * 3_000_000).replace("B*100000", "B" * 100_000)
    return text.encode()
