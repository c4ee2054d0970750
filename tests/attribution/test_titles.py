import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.attribution import attribute
from tokenboard.attribution.title import clean_title

TITLES: list[tuple[bytes, str | None]] = [
    (b"Cline", "Cline"),
    (b"  SUB/WAVE  (beta)  ", "SUB/WAVE (beta)"),
    ("Caf\u00e9".encode(), "Caf\u00e9"),
    (b"Caf\xe9", "Caf\u00e9"),
    ("Cafe\u0301".encode(), "Caf\u00e9"),
    ("\u667a\u80fd\u5de5\u4f5c\u53f0".encode(), "\u667a\u80fd\u5de5\u4f5c\u53f0"),
    # percent-encoding: once, ASCII only, valid UTF-8 only
    (b"Caf%C3%A9%20Bar", "Caf\u00e9 Bar"),
    (b"50%25 off", "50% off"),
    (b"%2541", "%41"),
    (b"100%ab", "100%ab"),
    (b"100% sure", "100% sure"),
    (b"a+b%20c", "a+b c"),
    ("%41 \u00e9".encode(), "%41 \u00e9"),
    (b"%0d%0aSet-Cookie:%20x", "Set-Cookie: x"),
    # white space and controls
    (b"two\r\nlines\tand tabs", "two lines and tabs"),
    ("a\u00a0\u3000b\u2028c\x85d\x0be".encode(), "a b c d e"),
    (b"a\x00b\x1b[31mc\x7f", "ab[31mc"),
    (b"a\x1cb", "ab"),
    ("\u202eevil\u202c \u200fx\u200d\ufeff".encode(), "evil x"),
    ("\U0001f468\u200d\U0001f469".encode(), "\U0001f468\U0001f469"),
    ("e\u200d\u0301".encode(), "\u00e9"),
    ("\ue000private\U000f0000".encode(), "private"),
    # no surrogate gets through: this is not UTF-8, so it is latin-1
    (b"\xed\xa0\x80", "\u00ed\u00a0".replace("\u00a0", "")),
    # nothing left
    (b"", None),
    (b" \t ", None),
    ("\u200b\u200d".encode(), None),
    # placeholders
    (b"<YOUR_SITE_NAME>", None),
    (b"<your site name>", None),
    (b"%3CYOUR_SITE_NAME%3E", None),
    (b"<\x00YOUR_SITE_NAME>", None),
    (b"${APP_NAME}", None),
    (b"{{ app.name }}", None),
    (b"{app_name}", None),
    (b"YOUR_APP_NAME", None),
    (b"your_app_name", None),
    (b"$YOUR_APP_NAME", None),
    (b"%APP_NAME%", None),
    (b"[Your App Name]", None),
    (b"Your App Name", None),
    (b"process.env.APP_NAME", None),
    # not placeholders
    (b"Your Personal Chef", "Your Personal Chef"),
    (b"My <b>bold</b> app", "My <b>bold</b> app"),
    (b"Bot {v2}", "Bot {v2}"),
    (b"$tonks", "$tonks"),
]


@pytest.mark.parametrize(("value", "title"), TITLES)
def test_a_title_is_cleaned(value: bytes, title: str | None) -> None:
    assert title == clean_title(value)


@pytest.mark.parametrize(
    "unseen",
    ["\u2800", "\u3164\u3164", "\ufe0f", "\u115f\u1160", "\u034f", "\u180b", "\uffa0", "\U000e0100", "\u2800 \u3164"],
)
def test_a_title_that_nobody_can_see_is_none_and_names_nothing(unseen: str) -> None:
    headers = [(b"http-referer", b"https://a.example"), (b"x-openrouter-title", unseen.encode()), (b"x-title", b"Seen")]
    assert (None, "a.example") == (attribute(headers[:2]).title, attribute(headers[:2]).name)
    assert "Seen" == attribute(headers).title
    assert f"A{unseen}B".replace(" ", "") == str(clean_title(f"A{unseen}B")).replace(" ", "")


def test_a_title_has_at_most_100_characters_after_cleaning() -> None:
    assert clean_title(b" \x00" * 50 + b"x" * 101) == "x" * 100
    assert clean_title(b"x" * 99 + b" y") == "x" * 99
    assert clean_title(("e\u0301" * 101).encode()) == "\u00e9" * 100


# Without the characters that begin a placeholder or percent-encoding.
PLAIN = st.text(st.characters(exclude_characters="<{[$_%", exclude_categories=["Cs"]), max_size=150)
AWKWARD = st.text("\t\n\r\x1c\x85\u2028 e\u0301\u200d\u1100\u1161\u00a0\ue000", max_size=250)


@settings(deadline=None)
@given((PLAIN | AWKWARD).filter(lambda text: "your" not in text.lower()))
def test_cleaning_agrees_with_the_rule_taken_step_by_step(text: str) -> None:
    expected = ""
    for char in text:
        if char in "\t\n\v\f\r\x85\u2028\u2029":
            expected += " "
        elif not unicodedata.category(char).startswith("C"):
            expected += char
    expected = " ".join(unicodedata.normalize("NFC", expected).split())[:100].rstrip()
    assert (expected or None) == clean_title(text.encode())
    assert (expected or None) == clean_title(expected)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_title_is_short_normal_and_free_of_control_characters(value: bytes) -> None:
    title = clean_title(value)
    if title is not None:
        assert 1 <= len(title) <= 100
        assert title == unicodedata.normalize("NFC", title).strip()
        assert title.isprintable()
        assert title.encode().decode() == title


def header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode(), value.encode()


def test_the_newer_header_wins_over_its_alias_in_any_order() -> None:
    attribution = attribute([header("X-Title", "Old"), header("X-OpenRouter-Title", "New")])
    assert (attribution.title, attribution.title_source) == ("New", "x-openrouter-title")


@pytest.mark.parametrize("unusable", ["", "  ", "<YOUR_SITE_NAME>", "\x00"])
def test_the_alias_is_used_when_the_newer_header_is_unusable(unusable: str) -> None:
    attribution = attribute([header("X-OpenRouter-Title", unusable), header("X-Title", "Old")])
    assert (attribution.title, attribution.title_source) == ("Old", "x-title")


def test_the_first_usable_line_of_a_header_wins() -> None:
    attribution = attribute([header("X-Title", ""), header("x-title", "One"), header("X-TITLE", "Two")])
    assert (attribution.title, attribution.title_source) == ("One", "x-title")


def test_without_a_usable_title_there_is_no_source() -> None:
    attribution = attribute([header("X-Title", "<YOUR_SITE_NAME>")])
    assert (attribution.title, attribution.title_source) == (None, None)
