import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from tokenboard.observability import configure_logging, logger


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def written(capsys: pytest.CaptureFixture[str], style: Literal["json", "plain"], *given: Any, **named: Any) -> str:
    """Log one warning and return what came out on standard error."""
    configure_logging(style)
    logger("part").warning(*given, **named)
    out, err = capsys.readouterr()
    assert "" == out
    assert err.endswith("\n")
    return err[:-1]


def entry(capsys: pytest.CaptureFixture[str], *given: Any, **named: Any) -> dict[str, Any]:
    line = written(capsys, "json", *given, **named)
    assert "\n" not in line
    read: dict[str, Any] = json.loads(line)
    return read


def failure() -> Exception:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        return error


def test_a_line_is_one_json_object_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"count": 3, "share": 0.5, "none": None, "title": "Ünï ✓"}
    read = entry(capsys, "it %s", "happened", extra=facts)
    assert read.pop("ts").endswith("+00:00")
    assert {"level": "warning", "logger": "tokenboard.part", "message": "it happened", **facts} == read


def test_a_fact_never_takes_the_place_of_what_every_line_has(capsys: pytest.CaptureFixture[str]) -> None:
    read = entry(capsys, "it", extra={"ts": "never", "level": "debug", "logger": "else"})
    assert ("warning", "tokenboard.part", "it") == (read["level"], read["logger"], read["message"])
    assert "never" != read["ts"]


def test_a_failure_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    error = entry(capsys, "it", exc_info=failure())["error"]
    assert error.startswith("Traceback")
    assert error.endswith("ValueError: first\nsecond")


@pytest.mark.parametrize("style", ["json", "plain"])
def test_whatever_a_fact_holds_makes_one_bounded_line(
    capsys: pytest.CaptureFixture[str], style: Literal["json", "plain"]
) -> None:
    hostile = "a\nERROR forged\r\x1b[31m\u2028 \ud800 " + "x" * 100_000
    line = written(capsys, style, hostile, extra={"reason": hostile, "thing": object()})
    assert 1 == len(line.splitlines())
    assert len(line) < 20_000
    assert line.isprintable()


def test_plain_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(capsys, "plain", "delivery fails", extra={"reason": "Ünï ✓", "count": 3})
    assert " warning delivery fails (reason=Ünï ✓ count=3)" == line[8:]


def test_a_line_names_its_process_where_several_share_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    for style in ("json", "plain"):
        configure_logging(style, process="gateway-1")
        logger("part").warning("it happened", extra={"count": 3})
    json_line, plain_line = capsys.readouterr().err.splitlines()
    assert "gateway-1" == json.loads(json_line)["process"]
    assert " warning [gateway-1] it happened (count=3)" == plain_line[8:]


def test_nothing_in_a_traceback_looks_like_a_plain_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    first, *rest = written(capsys, "plain", "it", exc_info=failure()).split("\n")
    assert first.endswith("warning it")
    assert all(line.startswith("    ") for line in rest)
    assert "    second" == rest[-1]


def test_a_level_may_be_chosen_and_what_others_narrate_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("plain", "error")
    logger("part").warning("not this")
    configure_logging("plain", "info")
    logging.getLogger("alembic.runtime").info("nor this")
    logger("part").info("but this")
    assert "but this" == capsys.readouterr().err.strip().rpartition("info    ")[2]


def test_configuring_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("plain")
    assert 1 == len(written(capsys, "plain", "it").splitlines())
