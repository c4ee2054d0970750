"""The pure rules: who a request belongs to, and how much it used."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.table import Duel, Table, duel_table, microseconds
from tokenboard.attribution import attribute
from tokenboard.gateway import ForwardAttribution
from tokenboard.gateway.headers import request_headers, withheld_from_upstream
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.memory import Memory
from tokenboard.gateway.upstream.request import Template, render_head, with_length
from tokenboard.usage import Meter

Headers = list[tuple[bytes, bytes]]

_HEADER_SETS = Path(__file__).parent.parent / "tests" / "cases" / "attribution.jsonl"
_REPEATED = 10
_CHUNKS = 200
_ROUNDS = 21
_REQUESTS = 500
_SDK: Headers = [
    (b"host", b"gateway"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"AsyncOpenAI/Python 1.82.0"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-package-version", b"1.82.0"),
    (b"x-stainless-os", b"Linux"),
    (b"x-stainless-arch", b"x64"),
    (b"x-stainless-runtime", b"CPython"),
    (b"x-stainless-runtime-version", b"3.11.7"),
    (b"authorization", b"Bearer tb-0123456789"),
    (b"x-stainless-async", b"async:asyncio"),
    (b"http-referer", b"https://cline.bot"),
    (b"x-title", b"Cline"),
    (b"x-stainless-retry-count", b"0"),
    (b"x-stainless-read-timeout", b"600"),
    (b"content-length", b"300"),
]


def tables() -> Iterator[Table]:
    """Measure attribution, then metering, then headers on their way up."""
    yield _attribution()
    yield _metering()
    yield _headers_on_their_way()


def _headers_on_their_way() -> Table:
    own = [(b"authorization", b"Bearer sk-upstream")]
    withheld = withheld_from_upstream(ForwardAttribution.PASS, own)
    alike = [[(bytes(bytearray(name)), value) for name, value in _SDK] for _ in range(_REQUESTS)]
    marked = [
        [
            *headers,
            (b"x-request-id", b"%032d" % number),
            (b"traceparent", b"00-%032d-01" % number),
            (b"cf-ray", b"%d" % number),
        ]
        for number, headers in enumerate(alike)
    ]

    def by_names(requests: list[Headers]) -> None:
        attributed: Memory[object, object] = Memory()
        forms: Memory[tuple[bytes, ...], tuple[Template, list[int]]] = Memory()
        for received in requests:
            asked = introduce(received)
            if attributed.recall(asked.of_the_app) is None:
                attributed.keep(asked.of_the_app, attribute(asked.of_the_app), 1)
            names = tuple([name for name, _ in asked.fields])
            form = forms.recall(names)
            if form is None:
                picked = [at for at, name in enumerate(names) if name not in withheld]
                form = Template(b"up", [names[at] for at in picked], own), picked
                forms.keep(names, form, 1)
            with_length(form[0].begin(b"/v1/chat/completions", tuple([asked.fields[at][1] for at in form[1]])), 300)

    def by_headers(requests: list[Headers]) -> None:
        for received in requests:
            asked = introduce(received)
            attribute(asked.fields)
            passed = request_headers(asked.fields, withheld, own)
            render_head(b"up", b"POST", b"/v1/chat/completions", passed, b"." * 300)

    return duel_table(
        "Headers on their way up",
        f"An SDK's {len(_SDK)} headers taken apart, attributed and made the head of the upstream's request, against "
        "the same without a memory. Below, with three headers of a proxy that are others each time.",
        [
            Duel("the same each time", lambda: by_names(alike), lambda: by_headers(alike), _REQUESTS),
            Duel("with a proxy's own", lambda: by_names(marked), lambda: by_headers(marked), _REQUESTS),
        ],
        unit=microseconds,
        rounds=_ROUNDS,
        reference="no memory",
    )


def _attribution() -> Table:
    sets = [
        [(name.encode(), value.encode()) for name, value in json.loads(line)["headers"]]
        for line in _HEADER_SETS.read_text("utf-8").splitlines()
    ]
    repeated = sets * _REPEATED
    fresh = _unseen(repeated)

    def attribute_all(requests: list[Headers]) -> None:
        for headers in requests:
            attribute(headers)

    def naive_all(requests: list[Headers]) -> None:
        for headers in requests:
            naive_attribution(headers)

    return duel_table(
        "Attribution",
        f"`attribute()`, per request, over the {len(sets)} header sets in `tests/cases`, against a dictionary "
        "of headers and `urllib.parse`, without the rules for hosts, ports, forges, titles, categories, placeholders.",
        [
            Duel(
                "header sets seen before", lambda: attribute_all(repeated), lambda: naive_all(repeated), len(repeated)
            ),
            Duel(
                "never seen before", lambda: attribute_all(next(fresh)), lambda: naive_all(next(fresh)), len(repeated)
            ),
        ],
        unit=microseconds,
        rounds=_ROUNDS,
        reference="urllib.parse",
    )


def _unseen(requests: list[Headers]) -> Iterator[list[Headers]]:
    """Return lists of the same requests as nobody has sent them yet, made beforehand: each with a query of its own."""
    numbers = count()
    made = [
        [
            [(name, value + b"?%d" % next(numbers) if name == b"HTTP-Referer" else value) for name, value in headers]
            for headers in requests
        ]
        for _ in range(2 * (_ROUNDS + 1))
    ]
    return iter(made)


def naive_attribution(headers: Headers) -> tuple[str, str] | None:
    """Return URL and title as a first draft would: the reference."""
    given = {name.lower(): value for name, value in headers}
    referer = given.get(b"http-referer", b"").decode("utf-8", "replace").strip()
    try:
        parts = urlsplit(referer if "://" in referer else f"https://{referer}")
    except ValueError:
        return None
    if not parts.hostname:
        return None
    url = f"https://{parts.hostname.removeprefix('www.')}{parts.path.rstrip('/')}"
    return url, unquote(given.get(b"x-title", b"").decode("utf-8", "replace"))


def openai_stream(chunks: int) -> list[bytes]:
    """Return a streamed chat completion as an OpenAI-compatible server sends it: usage in the last event but one."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_770_000_000, "model": "author/model"}
    words = [
        head | {"choices": [{"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": None}], "usage": None}
        for number in range(chunks)
    ]
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": chunks,
        "total_tokens": 1200 + chunks,
        "prompt_tokens_details": {"cached_tokens": 1024},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    events = [*words, head | {"choices": [], "usage": usage}]
    return [*(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events), b"data: [DONE]\n\n"]


def _metering() -> Table:
    stream = openai_stream(_CHUNKS)
    joined = b"".join(stream)
    pieces = [joined[start : start + 1400] for start in range(0, len(joined), 1400)]

    def meter(chunks: list[bytes]) -> int | None:
        reader = Meter("text/event-stream", None, 200)
        for chunk in chunks:
            reader.feed(chunk)
        return reader.finish(complete=True).total_tokens

    def decode_each(chunks: list[bytes]) -> int | None:
        tokens, rest = None, b""
        for chunk in chunks:
            *events, rest = (rest + chunk).split(b"\n\n")
            for event in events:
                document = event.removeprefix(b"data: ")
                if document != b"[DONE]" and (usage := json.loads(document)["usage"]):
                    tokens = usage["total_tokens"]
        return tokens

    if not meter(stream) == meter(pieces) == decode_each(stream) == decode_each(pieces) == 1200 + _CHUNKS:
        raise AssertionError("meter and reference read different usage")
    return duel_table(
        "Metering",
        f"`Meter` reading along with a stream of {_CHUNKS + 2} events, per event, against `json.loads` of each.",
        [
            Duel("a chunk holds one event", lambda: meter(stream), lambda: decode_each(stream), len(stream)),
            Duel("chunks of 1,400 bytes", lambda: meter(pieces), lambda: decode_each(pieces), len(stream)),
        ],
        unit=microseconds,
        rounds=101,
        reference="json.loads",
    )
