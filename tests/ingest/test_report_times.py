from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.bodies import PLAIN, TS_MS, lines, one, raw, refusal
from tokenboard.intake import RefusalReason


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("2026-05-11T23:59:59.123Z", TS_MS),
        ("2026-05-11t23:59:59.123z", TS_MS),
        ("2026-05-11 23:59:59.123Z", TS_MS),
        ("2026-05-11T23:59:59.123+00:00", TS_MS),
        ("2026-05-11T23:59:59.123-00:00", TS_MS),
        ("2026-05-12T05:29:59.123+05:30", TS_MS),
        ("2026-05-11T16:59:59.123-07:00", TS_MS),
        ("2026-05-12T23:58:59.123+23:59", TS_MS),
        ("2026-05-11T23:59:59Z", TS_MS - 123),
        ("2026-05-11T23:59:59.1Z", TS_MS - 23),
        ("2026-05-11T23:59:59.12Z", TS_MS - 3),
        ("2026-05-11T23:59:59.123999Z", TS_MS),
        ("2026-05-11T23:59:59.999999999999Z", TS_MS + 876),  # the next day has not come
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        (1_778_543_999, TS_MS - 123),
        (1_778_543_999.123, TS_MS),
        (1_778_543_999.9996, TS_MS + 876),  # nor here
        (1_778_543_999_123, TS_MS),
        (1_778_543_999_123.9, TS_MS),
        (0, 0),
        (0.0, 0),
        (10**11 - 1, (10**11 - 1) * 1000),
        (10**11, 10**11),
        (10**14 - 1, 10**14 - 1),
    ],
)
def test_a_time_is_rfc_3339_with_an_offset_or_unix_seconds_or_milliseconds(ts: Any, expected: int) -> None:
    assert expected == one(ts=ts).ts_ms


@pytest.mark.parametrize(
    "ts",
    [
        "",
        "now",
        "2026-05-11",
        "2026-05-11T23:59:59",
        "2026-05-11T23:59Z",
        "2026-05-11T235959Z",
        "20260511T235959Z",
        "2026-W20-1T00:00:00Z",
        "2026-05-11T23:59:59,5Z",
        "2026-05-11T23:59:59.Z",
        "2026-05-11T23:59:59+0000",
        "2026-05-11T23:59:59+00",
        "2026-05-11T23:59:59+24:00",
        "2026-05-11T23:59:59+05:99",
        "2026-05-11T23:59:59-00:60",
        "2026-05-11T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-05-11T23:60:00Z",
        "2016-12-31T23:59:60Z",  # no leap second has been since the dataset began
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "+2026-05-11T23:59:59Z",
        " 2026-05-11T23:59:59Z",
        "2026-05-11T23:59:59Z\n",
        "٢٠٢٦-05-11T23:59:59Z",
        "1778543999",
        -1,
        -0.001,
        10**14,
        10**300,
        1e300,
    ],
)
def test_another_time_is_refused(ts: Any) -> None:
    assert ("ts", RefusalReason.BAD_TIME) == refusal(lines(PLAIN | {"ts": ts}))


@pytest.mark.parametrize("literal", ["true", "[]", "{}", "1e999"])
def test_a_time_is_a_string_or_a_number(literal: str) -> None:
    assert ("ts", RefusalReason.WRONG_TYPE) == refusal(raw("ts", literal))


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23 * 60 - 59, 23 * 60 + 59))  # noqa: DTZ001
def test_a_time_is_the_same_moment_whatever_its_offset(local: datetime, offset: int) -> None:
    shown = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    days = local.toordinal() - datetime(1970, 1, 1).toordinal()  # noqa: DTZ001
    of_day = (local.hour * 60 + local.minute - offset) * 60_000 + local.second * 1000 + local.microsecond // 1000
    assert days * 86_400_000 + of_day == one(ts=local.isoformat() + shown).ts_ms
