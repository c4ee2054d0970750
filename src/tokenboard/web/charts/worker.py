"""The process that draws: reads what to draw from standard input, writes what came of it to standard output.

vl-convert holds the interpreter's lock while it works, 20 to 100 ms a chart: within the board's own process that would
stop every request for as long. Run as a file, not as a module, so that it loads nothing of the board. It ends when its
input does. A message, either way, is one byte, a length of four bytes (big-endian), and as many bytes:

    asked      s  Vega-Lite as JSON          p  an SVG
    answered   k  an SVG, or a PNG           f  what went wrong, in words
"""

import os
import signal
import struct
import sys
from typing import BinaryIO

import vl_convert

VEGA_LITE = "6.4"
"""The version of Vega-Lite that descriptions are written for."""

_HEAD = struct.Struct(">cI")
_NICENESS = 5  # drawings wait for requests, not the other way about


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer until there is nothing more to read."""
    while len(head := asked.read(_HEAD.size)) == _HEAD.size:
        kind, length = _HEAD.unpack(head)
        content = asked.read(length)
        if len(content) < length:
            return
        try:
            code, found = b"k", draw(kind, content.decode())
        except Exception as error:
            code, found = b"f", repr(error)[:1000].encode("utf-8", "replace")
        answered.write(_HEAD.pack(code, len(found)) + found)
        answered.flush()


def draw(kind: bytes, content: str) -> bytes:
    """Return the drawing; nothing is fetched from anywhere. Raises whatever vl-convert does, or ValueError."""
    if kind == b"s":
        return vl_convert.vegalite_to_svg(content, vl_version=VEGA_LITE, allowed_base_urls=[]).encode()
    if kind == b"p":
        return vl_convert.svg_to_png(content, scale=1)
    raise ValueError(f"no kind {kind!r}")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the board ends this one
    os.nice(_NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)
