"""Turning views into bytes: HTML by template, twins by form."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import msgspec
from jinja2 import Environment

from tokenboard.tables import write_csv, write_parquet
from tokenboard.web.layout import MEDIA_TYPES, PageFormat
from tokenboard.web.view import View

_PACKED_FROM = 1_024
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer: status, media type, bytes, the same gzipped where that is worth it, and a weak validator."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    packed: bytes | None = field(repr=False)
    etag: str


def rendered(body: bytes, media_type: str, *, status: int = 200, pack: bool = True) -> Rendered:
    """Return bytes as an answer; ``pack`` says whether compression could make them smaller."""
    packed = gzip.compress(body, compresslevel=6, mtime=0) if pack and len(body) >= _PACKED_FROM else None
    return Rendered(status, media_type, body, packed, f'W/"{blake2b(body, digest_size=12).hexdigest()}"')


class NoSuchFormat(Exception):
    """The page is not given in this form."""


class PageRenderer:
    """Prints views with the templates of an environment; twins of a ``demo`` say so in their ``meta``."""

    def __init__(self, env: Environment, *, demo: bool = False) -> None:
        self._env = env
        self._demo = demo

    def render(self, view: View, form: PageFormat) -> Rendered:
        """Return a view in a form; raises NoSuchFormat when the view has no such form."""
        return rendered(
            self._body(view, form), MEDIA_TYPES[form], status=view.status, pack=form is not PageFormat.PARQUET
        )

    def _body(self, view: View, form: PageFormat) -> bytes:
        if form is PageFormat.HTML:
            context: dict[str, Any] = {**view.context, "page": view.layout}
            return self._env.get_template(view.template).render(context).encode("utf-8", "replace")
        if form is PageFormat.JSON:
            if view.document is None:
                raise NoSuchFormat
            return _encoder.encode(self._signed(view.document))
        if view.table is None:
            raise NoSuchFormat
        table = view.table()
        if self._demo:
            table = replace(table, meta={**table.meta, "demo": "true"})
        return write_csv(table) if form is PageFormat.CSV else write_parquet(table)

    def _signed(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._demo or "meta" not in document:
            return document
        return {**document, "meta": {**document["meta"], "demo": True}}
