"""What a run of the gateway's benchmark tells: shares of cores, ratios within a round, goals, what ran."""

import pytest
from benchmarks.build import form, interpreter
from benchmarks.gateway import report
from benchmarks.gateway.client import Outcome
from benchmarks.gateway.goals import Goal
from benchmarks.gateway.plan import OURS, WARM_UP, Plan, chosen
from benchmarks.gateway.report import Report
from benchmarks.gateway.samples import Results, Sample
from benchmarks.gateway.tokenboard import GATEWAY_ALONE

from tokenboard.build_form import BuildForm, Why


def _sample(
    requests: int, *, gateway: float = 0.6, board: float = 0.2, apart: bool = False, p99: float = 0.002
) -> Sample:
    return Sample(
        Outcome(requests=requests, failed=0, seconds=1, p50=0.001, p99=p99, cpu=0.1),
        cpu={"gateway": gateway, "board": board + 0.1},
        busy={"gateway": gateway, "board": board},
        resident={"gateway": 50 << 20, "board": 400 << 20},
        upstream=0.1,
        elsewhere=frozenset({"board"}) if apart else frozenset(),
    )


def test_the_processes_elsewhere_share_the_core_of_upstream_and_load() -> None:
    together, apart = _sample(100), _sample(100, apart=True)
    assert 0.8 == pytest.approx(together.core)
    assert 0.2 == pytest.approx(together.other_core)
    assert 0.6 == pytest.approx(apart.core)
    assert 0.4 == pytest.approx(apart.other_core)
    # What is done afterwards counts for the request, wherever it is done.
    assert 0.009 == pytest.approx(together.per_request)


def test_the_warm_up_counts_as_answered_and_for_nothing_else() -> None:
    results = Results()
    results.add("answer", OURS, WARM_UP, _sample(7))
    results.add("answer", OURS, 0, _sample(100))
    assert 107 == results.answered(OURS)
    assert 100 == results.median("answer", OURS, lambda sample: sample.rate)


def test_goals_compare_within_a_round_and_missing_proxies_are_told_in_their_rows() -> None:
    results = Results()
    for number, pace in enumerate((1, 2, 4)):
        results.add("answer", "nginx", number, _sample(1_000 * pace))
        results.add("answer", OURS, number, _sample(210 * pace))
        results.add("answer", GATEWAY_ALONE, number, _sample(240 * pace, apart=True))
        results.add("steady", OURS, number, _sample(1_000, p99=0.0025))
    names = ["none (direct)", "nginx", OURS, GATEWAY_ALONE, "LiteLLM"]
    told = Report(Plan(3), results, names, {"LiteLLM": "pip cannot install it"}, names[0], "wrk", "so", 1_470)
    answer, *_, goals = report.tables(told)
    assert "1,470 answers every one" in answer.about
    assert ("LiteLLM: pip cannot install it", *["—"] * 8) == answer.rows[-1]
    assert {
        f"{OURS}: requests/s, of nginx's": ("≥ 0.2 ×", "0.21 ×", "met"),
        f"{OURS}: requests/s, of LiteLLM's": ("≥ 60 ×", "—", "not measured"),
        f"{GATEWAY_ALONE}: requests/s, of nginx's": ("≥ 0.25 ×", "0.24 ×", "missed"),
        f"{OURS}: p99 at 1,000 requests/s": ("≤ 3 ms", "2.50 ms", "met"),
        "a gateway's resident memory": ("≤ 60 MiB", "50.0 MiB", "met"),
    }.items() <= {row[0]: row[1:] for row in goals.rows}.items()


def test_each_role_has_a_row_with_what_it_uses() -> None:
    results = Results()
    results.add("answer", GATEWAY_ALONE, 0, _sample(1_000, apart=True))
    told = Report(Plan(1), results, [GATEWAY_ALONE], {}, "none (direct)", "wrk", "so", 1_000)
    processes = next(table for table in report.tables(told) if table.title.endswith("processes"))
    assert (
        (f"{GATEWAY_ALONE}: `board`", "300 µs", "20%", "400 MiB"),
        (f"{GATEWAY_ALONE}: `gateway`", "600 µs", "60%", "50 MiB"),
        (f"{GATEWAY_ALONE}: upstream and load", "200 µs", "20%", "—"),
    ) == processes.rows


def test_a_goal_at_its_bound_is_met() -> None:
    assert ("x", "≥ 1.7 ×", "1.70 ×", "met") == Goal("x", 1.7, 1.7, at_least=True, unit="×").row()


def test_proxies_are_chosen_in_any_case_and_unknown_ones_are_named() -> None:
    assert ("nginx", "tokenboard") == chosen("Tokenboard, NGINX")
    with pytest.raises(ValueError, match="no proxy 'envoy'; there are: nginx, tokenboard"):
        chosen("nginx envoy")
    with pytest.raises(ValueError, match="no proxy is named"):
        chosen(" ")


def test_the_slow_take_part_in_every_other_round() -> None:
    assert [0, 2, 4] == list(Plan().slow_rounds())
    assert [-1, 0, 1] == list(Plan(2).numbers())


def test_an_interpreter_tells_whether_profiles_guided_its_compiler() -> None:
    configured = "-fprofile-use -fprofile-correction"
    with_pgo = interpreter({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'", "PGO_PROF_USE_FLAG": configured})
    assert with_pgo.endswith("built with PGO")
    assert interpreter({"CONFIG_ARGS": "'--enable-shared'", "PGO_PROF_USE_FLAG": configured}).endswith("without PGO")
    assert "its distribution's build" in interpreter({"CONFIG_ARGS": "'--prefix=/usr'", "PGO_PROF_USE_FLAG": ""})


def test_a_table_tells_whether_modules_ran_compiled() -> None:
    assert "in pure Python" == form(BuildForm(Why.ASKED_FOR, 30))
    assert "with 30 compiled modules" == form(BuildForm(Why.COMPILED, 30))
