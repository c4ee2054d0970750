"""Text as the echo sees it: words, and the pieces a stream is cut into."""

import re

MAX_PIECES = 1_000
"""Pieces of one stream at most; an answer of more words is cut into pieces of several words."""

_word = re.compile(r"\s*\S+")


def count_words(text: str) -> int:
    """Return the tokens of a text: its words, separated by white space."""
    return len(text.split())


def cut(text: str, most: int = MAX_PIECES) -> list[str]:
    """Cut a text into its words, each with the white space before it, the last also with what follows it.

    The pieces are ``most`` at most, and joined they are the text.
    """
    # Without the trailing white space every search succeeds at once; with it the time would grow with its square.
    body = text.rstrip()
    words = _word.findall(body) or [""]
    words[-1] += text[len(body) :]
    size = -(-len(words) // most)
    return [piece for start in range(0, len(words), size) if (piece := "".join(words[start : start + size]))]
