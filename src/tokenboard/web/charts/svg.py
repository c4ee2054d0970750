"""From Vega's SVG to ours: only what is seen, themed, and each mark with its tip.

Vega writes for its own scripts too: empty paths, roles, labels for every axis, eight decimals. What is left here is a
third of that. Texts come in by number (see `Drawing`) and are written here, escaped.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from xml.etree import ElementTree

from tokenboard.web.charts.drawing import Drawing
from tokenboard.web.charts.theme import FONTS, LIGHT, NAMES, STYLE, UNSEEN
from tokenboard.web.text_metrics import xml

_SPACE: Final = "{http://www.w3.org/2000/svg}"
_NUMBER: Final = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_KEPT: Final = (
    "transform", "d", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "fill", "fill-opacity", "stroke",
    "stroke-width", "stroke-dasharray", "stroke-linejoin", "text-anchor", "font-size", "font-weight", "clip-path",
)  # fmt: skip
_INHERITED: Final = ("fill", "fill-opacity", "stroke", "stroke-width", "text-anchor", "font-size", "font-weight")
_COLOURS: Final = ("fill", "stroke")
_SHAPES: Final = ("path", "line", "rect", "text")
_LABEL_FROM: Final = 0xE000


def label(number: int) -> str:
    """Return what stands in a description for the drawing's label of this number: one character of private use."""
    return chr(_LABEL_FROM + number)


def themed(raw: str, drawing: Drawing) -> bytes:
    """Return the SVG for pages: colours are variables, a style sheet of its own gives both themes when it stands alone.

    Marks have ``data-tip``. Raises ValueError when ``raw`` is not what Vega writes.
    """
    colours = {ink: f"var({name})" for ink, name in NAMES.items()}
    head = f"<style>{STYLE}</style>"
    return _written(raw, drawing, colours, head, "", tips=True).encode("utf-8", "replace")


def fixed(raw: str, drawing: Drawing) -> str:
    """Return the SVG in the light theme's values on the page's colour, to make a PNG of."""
    colours = {ink: LIGHT[name] for ink, name in NAMES.items()}
    head = f'<rect width="100%" height="100%" fill="{LIGHT["--page"]}"/>'
    return _written(raw, drawing, colours, head, f' font-family="{FONTS}"', tips=False)


def _written(raw: str, drawing: Drawing, colours: Mapping[str, str], head: str, more: str, *, tips: bool) -> str:
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314 - written by Vega of numbers alone, not by anybody outside
    except ElementTree.ParseError as error:
        raise ValueError(f"not an SVG: {error}") from error
    body = _Writer(drawing, colours, tips=tips).children(root)
    words = f"{drawing.title}. {drawing.description}" if drawing.description else drawing.title
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{xml(words)}"{more} width="{drawing.width}" '
        f'height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}">{head}{body}</svg>'
    )


class _Writer:
    def __init__(self, drawing: Drawing, colours: Mapping[str, str], *, tips: bool) -> None:
        self._drawing = drawing
        self._colours = colours
        self._with_tips = tips

    def children(self, parent: ElementTree.Element) -> str:
        """Write what is seen in an element; neighbours of one look share a group."""
        out: list[str] = []
        look = ""
        for child in parent:
            own, text = self._element(child)
            if not text:
                continue
            if own != look:
                if look:
                    out.append("</g>")
                if own:
                    out.append(f"<g{own}>")
                look = own
            out.append(text)
        if look:
            out.append("</g>")
        return "".join(out)

    def _element(self, element: ElementTree.Element) -> tuple[str, str]:
        """Return the look, to be shared, and the element written without it; empty for what is not seen."""
        tag = element.tag.removeprefix(_SPACE)
        found = {name: element.get(name, "") for name in _KEPT if element.get(name)}
        if tag == "g":
            inner = self.children(element)
            if found.get("transform") in {None, "translate(0,0)"} or not inner:
                return "", inner
            return "", f'<g transform="{_short(found["transform"])}">{inner}</g>'
        if tag not in _SHAPES or not _seen(element, tag):
            return "", ""
        tip = self._tip(element)
        unseen = found.get("fill") == UNSEEN
        if unseen:
            if not self._with_tips:
                return "", ""
            found = {name: value for name, value in found.items() if name not in {"stroke", "stroke-width"}}
        elif "fill" not in found:
            found["fill"] = "none"  # as Vega's own root says for all
        look = self._attributes(found, _INHERITED)
        if unseen:
            look = ' fill="none" pointer-events="all"'
        own = self._attributes(found, [name for name in _KEPT if name not in _INHERITED])
        text = self._text(element.text or "") if tag == "text" else ""
        end = f">{text}</{tag}>" if text else "/>"
        return look, f"<{tag}{own}{tip}{end}"

    def _attributes(self, found: Mapping[str, str], names: Iterable[str]) -> str:
        out = ""
        for name in names:
            value = found.get(name)
            if value is None or (name == "fill-opacity" and value == "1"):
                continue
            out += f' {name}="{xml(self._colour(value) if name in _COLOURS else _short(value))}"'
        return out

    def _colour(self, value: str) -> str:
        return self._colours.get(value, value if value in {"none", "transparent"} else "none")

    def _tip(self, element: ElementTree.Element) -> str:
        number = element.get("aria-label", "")
        if not self._with_tips or not number.isdecimal() or int(number) >= len(self._drawing.tips):
            return ""
        return f' data-tip="{xml(self._drawing.tips[int(number)])}"'

    def _text(self, text: str) -> str:
        return "".join(
            xml(self._drawing.labels[ord(char) - _LABEL_FROM])
            if 0 <= ord(char) - _LABEL_FROM < len(self._drawing.labels)
            else xml(char)
            for char in text
        )


def _seen(element: ElementTree.Element, tag: str) -> bool:
    if element.get("display") == "none" or element.get("opacity") == "0":
        return False
    if tag == "path" and element.get("class") in {"background", "foreground"}:
        return False
    return tag != "text" or bool(element.text)


def _short(value: str) -> str:
    """Write numbers with one decimal, and without it where that is zero."""
    return _NUMBER.sub(lambda found: f"{round(float(found.group()), 1) + 0:g}", value)
