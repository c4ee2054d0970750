"""`tokenboard import`: each format, each way in, each fault."""

import csv
import gzip
import json
import sqlite3
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tokenboard.cli.events_file import FileFault, pieces
from tokenboard.tables import Column, Kind, Table, write_csv


def reports(count: int, host: str = "a.example", day: str = "2026-01-01") -> list[dict[str, Any]]:
    mark = uuid.uuid4().hex
    return [
        {
            "id": f"{mark}-{number}",
            "ts": f"{day}T12:00:00.{number % 1000:03}Z",
            "referer": f"https://{host}",
            "title": 'A "quoted", title',
            "model": "author/model",
            "prompt_tokens": number,
            "completion_tokens": 1,
            "cost": "0.000000000001",
            "latency_ms": 5,
        }
        for number in range(count)
    ]


def ndjson(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def write(folder: Path, kind: str, events: list[dict[str, Any]]) -> Path:
    file = folder / f"events{kind}"
    if kind == ".csv":
        with file.open("w", newline="", encoding="utf-8-sig") as stream:
            writer = csv.DictWriter(stream, [*events[0], "more"])
            writer.writeheader()
            writer.writerows(events)
    elif kind == ".parquet":
        rows = [
            event | {"ts": datetime.fromisoformat(event["ts"]), "cost": Decimal(event["cost"]), "more": [1]}
            for event in events
        ]
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        packers: dict[str, Any] = {".gz": gzip.compress, ".zst": zstandard.compress}
        body = ndjson(events)
        cut = len(body) // 2
        pack = packers.get(file.suffix)
        # In two members: such files are joined by `cat`.
        file.write_bytes(body if pack is None else pack(body[:cut]) + pack(body[cut:]))
    return file


@pytest.mark.parametrize("kind", [".ndjson", ".jsonl", ".csv", ".parquet", ".ndjson.gz", ".jsonl.zst"])
def test_every_kind_of_file_gives_the_same_events(kind: str, tmp_path: Path) -> None:
    events = reports(25)
    (piece,) = pieces(write(tmp_path, kind, events))
    assert (25, f"{piece.unit} 25") == (piece.events, f"{piece.unit} {piece.places[-1] - (kind == '.csv')}")
    read = [json.loads(line) for line in piece.body.splitlines()]
    for event, line in zip(events, read, strict=True):
        assert datetime.fromisoformat(event.pop("ts")) == datetime.fromisoformat(line.pop("ts"))
        assert Decimal(event.pop("cost")) == Decimal(line.pop("cost"))
        assert event == line


@pytest.mark.parametrize("title", ["=SUM(1)", "\u00a0=1", "\ufeff+1", "'=1", "''@x", "'tis plain", "-5"])
def test_a_title_that_our_csv_has_guarded_is_read_as_it_was(title: str, tmp_path: Path) -> None:
    (event,) = reports(1)
    table = Table(tuple(Column(name, Kind.TEXT) for name in event), [[*(event | {"title": title}).values()]])
    file = tmp_path / "events.csv"
    file.write_bytes(write_csv(table))
    ((piece,),) = [list(pieces(file))]
    assert title == json.loads(piece.body)["title"]


def test_a_large_file_comes_in_pieces_that_say_where_they_begin(tmp_path: Path) -> None:
    file = write(tmp_path, ".ndjson", reports(25_000))
    found = list(pieces(file))
    assert [("line 1", 10_000), ("line 10,001", 10_000), ("line 20,001", 5_000)] == [
        (piece.where(0), piece.events) for piece in found
    ]
    assert [1.0] == [piece.read for piece in found][-1:]


def test_numbers_in_csv_are_numbers_and_times_may_be_too(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "id,ts,model,prompt_tokens,completion_tokens,latency_ms,referer\n"
        "a,1767268800,m,0,1,1.5,\n\nb,1767268800.5,1,2,0,3,r\n"
    )
    (piece,) = pieces(file)
    assert [
        {"id": "a", "ts": 1767268800, "model": "m", "prompt_tokens": 0, "completion_tokens": 1, "latency_ms": 1.5},
        {
            "id": "b",
            "ts": 1767268800.5,
            "model": "1",
            "prompt_tokens": 2,
            "completion_tokens": 0,
            "latency_ms": 3,
            "referer": "r",
        },
    ] == [json.loads(line) for line in piece.body.splitlines()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", b""),
        ("x.ndjson.gz", b"no gzip"),
        ("x.ndjson.gz", gzip.compress(b"{}\n" * 100, mtime=0)[:-9]),
        ("x.csv.zst", b"no zstd"),
        ("x.parquet", b"no parquet"),
        ("x.parquet.gz", b""),
        ("x.csv", b"id,ts\na\n"),
        ("x.csv", b'id,ts\n"a\n'),
        ("x.csv", b"id\n\xff\n"),
        ("x.ndjson", b"x" * (16 * 1024 * 1024 + 1)),
        ("x.csv.gz", b""),
        ("x.csv.zst", b""),
        ("x.json", b"[{}, 5]"),
        ("x.json", b'[{"id": "a"}'),
        ("x.json", b"[{},]"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFault, match=name):
        list(pieces(tmp_path / name))


# --- without a server -----------------------------------------------------------------------------------------------


def test_without_a_server_usage_is_in_the_ledger_when_the_command_ends_each_id_once(
    on_data: Run, data: Path, tmp_path: Path
) -> None:
    key = on_data("keys", "create", "--label", "x", "--scopes", "ingest", "--json").json["key"]
    # More apps than one key may make on one day: what an operator imports is not limited.
    events = [event for number in range(120) for event in reports(1, f"a{number}.example")]
    file = write(tmp_path, ".ndjson", events)
    assert [["120 events taken, 0 had been before"]] == on_data("import", file).rows
    assert [["0 events taken, 120 had been before"]] == on_data("import", write(tmp_path, ".csv", events)).rows
    mine = write(tmp_path, ".jsonl", reports(2, "mine.example"))
    assert [["2 events taken, 0 had been before"]] == on_data("import", mine, "--key", key).rows
    assert 122 == on_data("apps", "list", "--json").json["total"] + 1
    assert [["raw events, sums and rankings agree in 1 month"]] == on_data("doctor", "--audit").rows
    with sqlite3.connect(data / "spool" / "board.sqlite") as spool:
        assert (0,) == spool.execute("SELECT count(*) FROM parcels").fetchone()


def test_one_bad_event_refuses_the_whole_file_named_by_file_and_line(on_data: Run, tmp_path: Path) -> None:
    on_data("keys", "create", "--label", "x")
    events = reports(10_003)
    events[10_001]["model"] = ""
    file = write(tmp_path, ".ndjson", events)
    done = on_data("import", file)
    assert (1, "") == (done.code, done.out)
    assert f"error: {file}: 1 bad event, line 10,002: model must not be empty" == done.err.splitlines()[0]
    events[10_001]["model"] = "m"
    assert [["10,003 events taken, 0 had been before"]] == on_data("import", write(tmp_path, ".ndjson", events)).rows


@pytest.mark.parametrize("scopes", ["data", None])
def test_a_key_that_may_not_report_is_refused(scopes: str | None, on_data: Run, tmp_path: Path) -> None:
    key = on_data("keys", "create", "--label", "x", "--scopes", scopes or "ingest", "--json").json["key"]
    done = on_data("import", write(tmp_path, ".ndjson", reports(1)), "--key", key if scopes else "tb-unknown")
    assert (1, True) == (done.code, done.err.startswith("error: the key "))
    assert key not in done.err


def test_there_must_be_a_data_folder(on_data: Run, data: Path, tmp_path: Path) -> None:
    done = on_data("import", write(tmp_path, ".ndjson", reports(1)))
    assert (1, False) == (done.code, data.exists())


# --- through a server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_key", [True, False])
def test_through_the_running_server_usage_is_counted_once(
    with_key: bool, on_board: Run, board: BoardProcess, key: str, client: httpx.Client, tmp_path: Path
) -> None:
    host = f"{uuid.uuid4().hex}.example"
    file = write(tmp_path, ".csv", reports(30, host, f"{datetime.now(UTC).year - 1}-07-01"))
    options = ["--key", key] if with_key else []
    assert [["30 events taken, 0 had been before"]] == on_board("import", file, *options).rows
    assert [["0 events taken, 30 had been before"]] == on_board("import", file, *options).rows
    board.wait_until_counted()
    found = on_board("apps", "list", "--search", host, "--json").json
    assert 1 == found["total"]


@pytest.mark.parametrize("first", [3, 10_001])
def test_through_the_server_a_bad_event_is_named_as_without_it(first: int, on_board: Run, tmp_path: Path) -> None:
    events = reports(first + 2)
    events[first]["prompt_tokens"] = events[first + 1]["prompt_tokens"] = -1
    file = write(tmp_path, ".ndjson", events)
    done = on_board("import", file)
    assert (1, "") == (done.code, done.out)
    assert done.err.startswith(f"error: {file}: 2 bad events, the first at line {first + 1:,}: prompt_tokens ")
    assert "hint: Nothing of this file was taken. Mend it" in done.err


def test_a_key_that_the_server_refuses_is_told_with_how_to_make_one(on_board: Run, tmp_path: Path) -> None:
    done = on_board("import", write(tmp_path, ".ndjson", reports(1)), "--key", "tb-unknown")
    assert (1, True) == (done.code, "Invalid API key" in done.err)
    assert "hint: `tokenboard keys create --label import --scopes ingest` makes one" in done.err


def test_the_way_in_without_a_key_is_open_to_nobody_else(client: httpx.Client) -> None:
    for path in ("/internal/usage", "/internal/audit", "/internal/rebuild"):
        for headers in ({}, {"x-tokenboard-nudge": "guess"}):
            answer = client.post(path, content=b"{}", headers=headers)
            assert (404, f"There is nothing at {path}.") == (answer.status_code, answer.json()["error"]["message"])
