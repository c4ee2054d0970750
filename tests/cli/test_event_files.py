"""Files of events: what means the same is read the same, whatever its type, its ending or what stands beside it."""

import csv
import gzip
import io
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenboard.cli.events_file import FileFault, pieces

PLAIN: dict[str, Any] = {
    "id": "7",
    "ts": "2026-11-20T10:00:00Z",
    "categories": "game,cli-agent",
    "model": "m",
    "prompt_tokens": 5,
    "completion_tokens": 4,
    "cost": "0.5",
}


def events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file, times and costs as values."""
    found = []
    for piece in pieces(path):
        for line in piece.body.splitlines():
            # Null is as good as absent.
            event = {name: value for name, value in json.loads(line).items() if value is not None}
            ts = event["ts"]
            moment = datetime.fromisoformat(ts) if isinstance(ts, str) else datetime.fromtimestamp(ts, UTC)
            found.append(event | {"ts": moment, "cost": Decimal(str(event["cost"]))})
    return found


EXPECTED = PLAIN | {"ts": datetime(2026, 11, 20, 10, tzinfo=UTC), "cost": Decimal("0.5")}
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def parquet(folder: Path, **columns: Any) -> Path:
    arrays = {name: pa.array([value]) for name, value in PLAIN.items()}
    arrays |= {name: column if isinstance(column, pa.Array) else pa.array([column]) for name, column in columns.items()}
    pq.write_table(pa.table(arrays), folder / "x.parquet")
    return folder / "x.parquet"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("prompt_tokens", pa.array([5.0])),
        ("prompt_tokens", pa.array([5.0], pa.float32())),
        ("prompt_tokens", pa.array([5], pa.uint64())),
        ("prompt_tokens", pa.array([5], pa.int8())),
        ("prompt_tokens", pa.array([Decimal(5)], pa.decimal128(38, 0))),
        ("prompt_tokens", pa.array([Decimal("5.00")], pa.decimal256(40, 2))),
        ("prompt_tokens", pa.array(["5"])),
        ("prompt_tokens", pa.array([b"5.0"], pa.string())),
        ("id", pa.array([7])),
        ("id", pa.array([7.0])),
        ("id", pa.array([b"7"])),
        ("id", pa.array(["7"], pa.large_string())),
        ("id", pa.array(["7"]).dictionary_encode()),
        ("categories", pa.array([["game", "cli-agent"]])),
        ("categories", pa.array([[b"game", b"cli-agent"]], pa.list_(pa.binary()))),
        ("cost", pa.array([0.5])),
        ("cost", pa.array([Decimal("0.500000000")])),
        ("ts", pa.array([AT])),
        ("ts", pa.array([AT.replace(tzinfo=None)])),
        ("ts", pa.array([AT], pa.timestamp("ns", "Europe/Berlin"))),
        ("ts", pa.array([AT], pa.timestamp("s"))),
        ("ts", pa.array([AT.timestamp()])),
        ("ts", pa.array([int(AT.timestamp())])),
        ("ts", pa.array([b"2026-11-20T10:00:00Z"])),
        ("ts", pa.array(["2026-11-20 10:00:00"])),
        ("ts", pa.array(["2026-11-20T10:00"])),
    ],
    ids=str,
)
def test_the_same_figure_in_another_type_of_column_is_the_same(column: str, values: pa.Array, tmp_path: Path) -> None:
    assert [EXPECTED] == events(parquet(tmp_path, **{column: values}))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("prompt_tokens", pa.array([5.5]), "row 1, prompt_tokens: 5.5 is not a whole number"),
        ("prompt_tokens", pa.array([float("inf")]), "row 1, prompt_tokens: inf is not a number"),
        ("prompt_tokens", pa.array([True]), "row 1, prompt_tokens: a bool is not a number"),
        ("completion_tokens", pa.array(["1_234"]), "row 1, completion_tokens: `1_234` is not a number"),
        ("completion_tokens", pa.array(["٣"]), "is not a number"),
        ("cost", pa.array([float("-inf")]), "row 1, cost: -inf is not a number"),
        ("cost", pa.array(["free"]), "row 1, cost: `free` is not a number"),
        ("id", pa.array([b"\xff"]), "row 1, id: bytes that are not UTF-8 text"),
        ("id", pa.array([7.5]), "row 1, id: 7.5 is not text"),
        ("title", pa.array([["a"]]), "row 1, title: a list is not text"),
        ("tool_calls", pa.array(["maybe"]), "row 1, tool_calls: `maybe` is not a number"),
        ("ts", pa.array([AT.date()]), "row 1, ts: a date is not a number"),
        ("ts", pa.array([2**62], pa.timestamp("ms")), "row 1, ts: the time is out of range"),
        ("ts", pa.array([-(2**62)], pa.timestamp("us")), "row 1, ts: the time is out of range"),
    ],
    ids=str,
)
def test_what_has_no_meaning_in_its_column_is_refused_by_row_and_column(
    column: str, values: pa.Array, said: str, tmp_path: Path
) -> None:
    with pytest.raises(FileFault, match=r"^cannot read \S+x\.parquet: ") as refused:
        list(pieces(parquet(tmp_path, **{column: values})))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([True]), True),
        (pa.array(["False"]), False),
        (pa.array([2.0]), 2),
        (pa.array(["0"]), 0),
        (pa.array([None], pa.bool_()), None),
    ],
    ids=str,
)
def test_calls_of_tools_are_a_truth_or_a_count(values: pa.Array, told: bool | int | None, tmp_path: Path) -> None:
    (event,) = events(parquet(tmp_path, tool_calls=values))
    assert told == event.get("tool_calls")


def test_a_hole_in_a_column_is_an_absent_member(tmp_path: Path) -> None:
    (event,) = events(parquet(tmp_path, cached_tokens=float("nan"), title=pa.array([None], pa.string()), provider=""))
    assert EXPECTED == event


ROW = {**PLAIN, "id": 7, "prompt_tokens": 5.0, "categories": ["game", "cli-agent"], "more": {"deep": ["\x00"]}}


def written(kind: str) -> bytes:
    flat = {name: ",".join(value) if isinstance(value, list) else value for name, value in ROW.items()}
    if kind in {"csv", "tsv"}:
        text = io.StringIO()
        writer = csv.writer(text, delimiter="," if kind == "csv" else "\t")
        writer.writerows([list(flat), list(flat.values()), [""] * len(flat)])
        return text.getvalue().encode()
    pretty = json.dumps([ROW], indent=2).encode()
    return pretty if kind == "json" else json.dumps(ROW).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("X.CSV", "csv"),
        ("x.Csv.GZ", "csv"),
        ("x.tsv", "tsv"),
        ("x.TSV.zst", "tsv"),
        ("x.json", "json"),
        ("x.json", "ndjson"),
        ("x.JSON.gz", "json"),
        ("x.JSONL", "ndjson"),
        ("x.2026-11.NDJSON.ZST", "ndjson"),
        ("x y.ndjson", "ndjson"),
    ],
)
def test_an_ending_counts_in_any_case_and_tables_lists_and_lines_say_the_same(
    name: str, kind: str, tmp_path: Path
) -> None:
    pack = gzip.compress if name.lower().endswith(".gz") else zstandard.compress
    body = written(kind)
    (tmp_path / name).write_bytes(pack(body) if name.lower().endswith((".gz", ".zst")) else body)
    assert [EXPECTED] == events(tmp_path / name)


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "ndjson"])
@pytest.mark.parametrize("written_so", ["2026-11-20 10:00:00", "2026-11-20T10:00", "2026-11-20 10:00:00.000"])
def test_a_text_of_a_time_without_a_zone_is_utc_in_every_kind_of_file(
    kind: str, written_so: str, tmp_path: Path
) -> None:
    body = written(kind)
    assert b"2026-11-20T10:00:00Z" in body
    (tmp_path / f"x.{kind}").write_bytes(body.replace(b"2026-11-20T10:00:00Z", written_so.encode()))
    assert [EXPECTED] == events(tmp_path / f"x.{kind}")


def test_a_line_that_is_an_event_but_for_its_time_s_zone_is_that_event(tmp_path: Path) -> None:
    (tmp_path / "x.ndjson").write_text(json.dumps(PLAIN | {"ts": "2026-11-20 10:00:00"}))
    (event,) = events(tmp_path / "x.ndjson")
    assert EXPECTED == {name: value for name, value in event.items() if value is not None}


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_under_a_plain_name_is_read_too(pack: Any, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(pack(written("csv")))
    assert [EXPECTED] == events(tmp_path / "x.csv")


def test_a_hole_in_a_list_is_no_category(tmp_path: Path) -> None:
    assert [EXPECTED] == events(parquet(tmp_path, categories=pa.array([["game", None, "cli-agent"]])))


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson"])
@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20 10:00:00",  # pandas, DuckDB, SQLite
        "2026-11-20T10:00:00.000000",  # polars
        "2026-11-20 10:00",  # spreadsheets
        "2026-11-20 10:00:00+00",  # PostgreSQL, DuckDB
        "2026-11-20T11:00:00.000+0100",  # polars
        "2026-11-20 04:30:00-05:30",
        "2026-11-20 10:00:00 UTC",  # BigQuery
        "2026-11-20T10:00:00 Z",
    ],
)
def test_a_time_is_the_same_however_a_table_writes_it_and_utc_without_a_zone(
    kind: str, written: str, tmp_path: Path
) -> None:
    row = PLAIN | {"ts": written}
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row)
    else:
        path.write_text(json.dumps([row] if kind == "json" else row))
    assert [EXPECTED] == events(path)


@pytest.mark.parametrize("written", ["2026-11-20", "11/20/2026 10:00", "2026-11-20 10:00:00 CET", "10:00:00"])
def test_what_is_no_time_is_left_for_the_door_to_refuse(written: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(PLAIN | {"ts": written}))
    (piece,) = pieces(path)
    assert written == json.loads(piece.body)["ts"]


HEAD = ",".join(PLAIN)
CELLS = '7,2026-11-20T10:00:00Z,"game,cli-agent",m,5,4,0.5'


@pytest.mark.parametrize(
    "text", [f"\n{HEAD}\n{CELLS}\n", f",,\r\n\r\n{HEAD}\r\n{CELLS}\r\n", f"{HEAD}\n , ,\n{CELLS}\n\t\n"]
)
def test_empty_rows_may_stand_anywhere_before_the_head_too(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    assert [EXPECTED] == events(path)


@pytest.mark.parametrize(
    ("name", "mark", "said"),
    [
        ("x.csv", ";", "commas, not by semicolons"),
        ("x.csv", "\t", "commas, not by tabs"),
        ("x.tsv", ",", "tabs, not by commas"),
    ],
)
def test_a_table_whose_cells_are_separated_otherwise_is_told_so(
    name: str, mark: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(mark.join(PLAIN) + "\n")
    with pytest.raises(FileFault, match=f"separate cells by {said}$"):
        list(pieces(path))


def test_an_array_under_the_ending_of_lines_is_read_item_by_item(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps([PLAIN, PLAIN]))
    assert [EXPECTED, EXPECTED] == events(path)
    (piece,) = pieces(path)
    assert "item 2" == piece.where(1)


def test_an_array_among_lines_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(f"{json.dumps(PLAIN)}\n{json.dumps([PLAIN, PLAIN])}\n")
    with pytest.raises(FileFault, match="line 2 is an array, not an event"):
        list(pieces(path))


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("kind", ["json", "ndjson", "csv"])
def test_a_byte_order_mark_is_no_part_of_a_file(kind: str, bom: bytes, tmp_path: Path) -> None:
    (tmp_path / f"x.{kind}").write_bytes(bom + written(kind))
    assert [EXPECTED] == events(tmp_path / f"x.{kind}")


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson"])
def test_what_is_not_read_may_be_of_any_size(kind: str, tmp_path: Path) -> None:
    big = {**PLAIN, "prompt": "x" * 3_000_000}
    text = io.StringIO()
    csv.writer(text).writerows([list(big), list(big.values())])
    body = {"csv": text.getvalue(), "json": json.dumps([big]), "ndjson": json.dumps(big)}[kind]
    (tmp_path / f"x.{kind}").write_text(body)
    (event,) = events(tmp_path / f"x.{kind}")
    assert EXPECTED == {name: value for name, value in event.items() if value is not None}


def test_columns_that_are_not_read_may_be_named_twice(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    head, row = list(PLAIN), list(PLAIN.values())
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([[*head, "note", "note"], [*row, "a", "b"]])
    assert [EXPECTED] == events(file)


@pytest.mark.parametrize("missing", ["id", "ts", "model", "prompt_tokens", "completion_tokens"])
def test_a_table_without_a_column_that_is_needed_is_refused_by_its_name(missing: str, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(",".join(name for name in PLAIN if name != missing) + "\n")
    with pytest.raises(FileFault, match=f"there is no column {missing}; the head needs id, ts, model, "):
        list(pieces(file))


def test_a_bad_cell_deep_in_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    rows = [f'{number},2026-11-20T10:00:00Z,"m\nn",1,{"x" if number == 11_000 else 2}' for number in range(12_000)]
    file.write_text("id,ts,model,prompt_tokens,completion_tokens\n" + "\n".join(rows) + "\n")
    with pytest.raises(FileFault, match="line 22,003, completion_tokens: `x` is not a number"):
        list(pieces(file))


def test_the_exports_of_other_systems_give_their_events(tmp_path: Path) -> None:
    cases = Path(__file__).parent.parent / "cases" / "files"
    found = {
        name: [json.loads(line) for piece in pieces(cases / name) for line in piece.body.splitlines()]
        for name in ("r20-litellm-spendlogs.csv", "r21-openrouter-activity.csv")
    }
    (log,), (activity,) = found.values()
    assert {
        "id": "chatcmpl-9f1",
        "ts": "2026-11-20T10:00:00.123Z",
        "referer": "https://cline.bot",
        "model": "gpt-4o",
        "provider": "openai",
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "cost": "0.00123",
        "latency_ms": 2333.0,
    } == log
    assert {
        "id": "gen-1763632800-abc",
        "ts": "2026-11-20T10:00:00.123Z",
        "title": "Cline",
        "model": "openai/gpt-4o-2024-05-13",
        "provider": "OpenAI",
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "cost": "0.00123",
        "latency_ms": 812.0,
    } == activity


def _samples() -> dict[str, bytes]:
    table = io.BytesIO()
    rows = [{**PLAIN, "id": uuid.uuid4().hex, "ts": AT} for _ in range(50)]
    pq.write_table(pa.Table.from_pylist(rows), table)
    lines = b"\n".join(json.dumps({**PLAIN, "id": str(number)}).encode() for number in range(50))
    return {
        "x.parquet": table.getvalue(),
        "x.ndjson.gz": gzip.compress(lines),
        "x.ndjson.zst": zstandard.compress(lines),
        "x.json": b"[" + lines.replace(b"\n", b",") + b"]",
        "x.csv": written("csv"),
        "x.csv.zst": zstandard.compress(written("csv") * 9),
    }


SAMPLES = _samples()


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line_and_never_breaks_the_command(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    body = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(body)
    try:
        list(pieces(tmp_path / name))
    except FileFault as fault:
        assert "\n" not in str(fault)  # noqa: PT017 - that it is read is right, too


@pytest.mark.parametrize("name", ["x.ndjson.gz", "x.ndjson.zst", "x.json", "x.parquet", "x.csv.zst"])
def test_a_file_cut_short_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    body = SAMPLES[name]
    for cut in range(0, len(body), max(len(body) // 200, 1)):
        (tmp_path / name).write_bytes(body[:cut])
        if name == "x.json" and not cut:
            continue
        with pytest.raises(FileFault):
            list(pieces(tmp_path / name))


def test_a_file_that_is_not_there_is_no_matter_of_formats(tmp_path: Path) -> None:
    for place in (tmp_path / "none.csv", tmp_path):
        target = place if place.suffix else place / "folder.csv"
        if target.name == "folder.csv":
            target.mkdir()
        with pytest.raises(FileFault) as refused:
            list(pieces(target))
        assert "Check the path" in refused.value.hint
