"""Names that break things: of every direction, script and length, markup, control characters."""

HOSTILE = (
    "محرر النصوص العربية",
    "עורך \u202eתוכנה\u202c",
    "日本語アプリ" * 16,
    "👩\u200d👩\u200d👧\u200d👦 🇪🇺 family",
    "x" * 100,
    "</svg><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>&amp;',
    "a\x00b\x1b[31m\ud800\ufffe\u2028c\ue000",
    "=cmd|' /C calc'!A0",
    "",
)

ODD_TITLES = {
    "markup": "<script>window.broken=1</script><b>bold</b>",
    "attribute": "\"'><img src=x onerror=window.broken=1>&amp;&lt;",
    "override": "before \u202eafter\u202c \u2066apart\u2069 \u200fmark",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "template": "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "json": '"}],"data":[],"x":{"\\u0041\\',
    "entity": "]]><!-- & -->&#60;",
    "arabic": "محرر النصوص العربية ١٢٣",
    "cjk": "日本語の名前をもつとても長いアプリケーション" * 4,
    "family": "👩\u200d👩\u200d👧\u200d👦 Family 🏳️\u200d🌈",
    "unbroken": "x" * 100,
}
"""Titles by what is odd about them, each no longer than a title may be."""
