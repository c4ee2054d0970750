"""Writing Atom feeds (RFC 4287)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from tokenboard.tables import instant

MEDIA_TYPE = "application/atom+xml; charset=utf-8"
NAMESPACE = "http://www.w3.org/2005/Atom"

# XML 1.0 has no way to write these, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """``id`` is an IRI that never changes, ``link`` an absolute URL, ``terms`` say what kind of news it is."""

    id: str
    title: str
    summary: str
    link: str
    updated: datetime
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """``link`` is the page that the feed belongs to, ``own`` the feed's own address, both absolute."""

    id: str
    title: str
    subtitle: str
    author: str
    link: str
    own: str
    updated: datetime
    entries: Sequence[Entry]


def write_atom(feed: Feed) -> bytes:
    """Return the feed as an Atom document, UTF-8. Every text is plain, and escaped."""
    root = ElementTree.Element("feed", {"xmlns": NAMESPACE, "xml:lang": "en"})
    _add(root, "id", feed.id)
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", instant(feed.updated))
    ElementTree.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": feed.own})
    ElementTree.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": feed.link})
    _add(ElementTree.SubElement(root, "author"), "name", feed.author)
    _add(root, "generator", "tokenboard")
    for entry in feed.entries:
        element = ElementTree.SubElement(root, "entry")
        _add(element, "id", entry.id)
        _add(element, "title", entry.title)
        _add(element, "updated", instant(entry.updated))
        _add(element, "published", instant(entry.updated))
        ElementTree.SubElement(element, "link", {"rel": "alternate", "type": "text/html", "href": entry.link})
        for term in entry.terms:
            ElementTree.SubElement(element, "category", {"term": term})
        _add(element, "summary", entry.summary)
    ElementTree.indent(root, "")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode").encode()


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _UNWRITABLE.sub("\ufffd", text)
