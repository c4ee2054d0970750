"""The tables of a run of all proxies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.gateway.dialogue import ANSWER_BYTES, CHUNKS, GAP_MS, PROMPT_BYTES
from benchmarks.gateway.goals import Goal, goals_table
from benchmarks.gateway.plan import CONNECTIONS, ROUNDS, SLOW_ROUNDS, STEADY_CONNECTIONS, STEADY_RATE
from benchmarks.gateway.samples import Results, Sample
from benchmarks.table import Table, figure

_DASH = "—"


@dataclass(frozen=True, slots=True)
class Report:
    """A run: its results, the proxies in the order of the rows, and why some are ``missing``."""

    results: Results
    names: Sequence[str]
    missing: Mapping[str, str]
    direct: str
    loaded_by: str
    cores: str
    answered: int

    def rows(self, cells: Callable[[str], tuple[str, ...]], columns: int) -> tuple[tuple[str, ...], ...]:
        """Return a row for every proxy, with the reason in the row of one that could not be had."""
        return tuple(
            (f"{name}: {self.missing[name]}", *[_DASH] * (columns - 1))
            if name in self.missing
            else (name, *cells(name))
            for name in self.names
        )


def tables(report: Report) -> Iterator[Table]:
    """Write the tables of docs/performance.md."""
    results = report.results
    failed = {name: results.failed(name) for name in report.names}
    told = ", ".join(f"{count} of {name}" for name, count in failed.items() if count)
    about = (
        f"An answer of {ANSWER_BYTES} bytes to a prompt of 50, asked by {report.loaded_by} over {CONNECTIONS} "
        f"connections. Proxies run {report.cores}. They take turns for {ROUNDS} rounds ({len(SLOW_ROUNDS)} with the "
        "slow ones); figures are medians. CPU time holds all that a request causes later: for tokenboard, a durable "
        f"record (fsync), the ledger, the rankings. Of tokenboard's {report.answered:,} answers every one was in the "
        "rankings at the end. " + (f"Requests that failed: {told}." if told else "No request failed.")
    )
    yield _throughput(report, "answer", f"Gateway: an answer of {ANSWER_BYTES} bytes", about)
    about = f"The same answer to a prompt of {PROMPT_BYTES:,} bytes."
    yield _throughput(report, "prompt", "Gateway: a prompt of 20 KB", about)
    yield _latency(report)
    yield _streams(report)
    yield goals_table(_goals(results, report.direct))


def _throughput(report: Report, load: str, title: str, about: str) -> Table:
    columns = (title, "requests/s", "p50", "p99", "CPU per request", "of its core", "resident", "of nginx's requests/s")
    results = report.results

    def cells(name: str) -> tuple[str, ...]:
        def told(what: Callable[[Sample], float], unit: Callable[[float], str]) -> str:
            return _tell(results.median(load, name, what), unit)

        return (
            told(lambda sample: sample.rate, figure),
            told(lambda sample: sample.outcome.p50, _milliseconds),
            told(lambda sample: sample.outcome.p99, _milliseconds),
            told(lambda sample: sample.cpu / sample.outcome.requests, lambda cpu: f"{figure(cpu * 1e6)} µs"),
            told(lambda sample: sample.busy, lambda busy: f"{busy:.0%}"),
            told(lambda sample: sample.resident, lambda size: f"{size / 2**20:,.0f} MiB"),
            _tell(results.compared(load, name, "nginx", _rates), lambda ratio: f"{ratio:.3f}"),
        )

    return Table(title, about, columns, report.rows(cells, len(columns)))


def _latency(report: Report) -> Table:
    title = "Gateway: latency"
    rate = f"{STEADY_RATE:,}/s"
    columns = (title, "p50, one connection", "added", "p99, one connection", f"p50 at {rate}", f"p99 at {rate}")
    about = (
        f"The {ANSWER_BYTES}-byte answer: one connection that asks again at once, and {rate} that come whether or not "
        f"answers do, over {STEADY_CONNECTIONS} connections, by our own client, each timed from when it was due. "
        "Added: beyond direct, in the same round. The slow ones cannot take so many."
    )
    results = report.results

    def cells(name: str) -> tuple[str, ...]:
        return (
            _tell(results.median("alone", name, _p50), _milliseconds),
            _tell(results.compared("alone", name, report.direct, _added_p50), _milliseconds),
            _tell(results.median("alone", name, _p99), _milliseconds),
            _tell(results.median("steady", name, _p50), _milliseconds),
            _tell(results.median("steady", name, _p99), _milliseconds),
        )

    return Table(title, about, columns, report.rows(cells, len(columns)))


def _streams(report: Report) -> Table:
    title = f"Gateway: a stream of {CHUNKS} chunks"
    columns = (title, "first byte", "added", "a chunk's way", "added", "its p99", "CPU per chunk")
    about = (
        f"One stream at a time, a chunk every {GAP_MS} ms, each with the time it left the upstream, by the machine's "
        "monotonic clock. Medians; added: beyond direct, in the same round."
    )
    results = report.results

    def cells(name: str) -> tuple[str, ...]:
        return (
            _tell(results.median("stream", name, _first_byte), _milliseconds),
            _tell(results.compared("stream", name, report.direct, _added_first_byte), _milliseconds),
            _tell(results.median("stream", name, _p50), _milliseconds),
            _tell(results.compared("stream", name, report.direct, _added_p50), _milliseconds),
            _tell(results.median("stream", name, _p99), _milliseconds),
            _tell(results.median("stream", name, _cpu_per_chunk), lambda cpu: f"{figure(cpu * 1e6)} µs"),
        )

    return Table(title, about, columns, report.rows(cells, len(columns)))


def _goals(results: Results, direct: str) -> tuple[Goal, ...]:
    ours = "tokenboard"
    return (
        Goal(
            "requests/s, of nginx's", 0.25, results.compared("answer", ours, "nginx", _rates), at_least=True, unit="×"
        ),
        Goal(
            "requests/s, of LiteLLM's",
            100,
            results.compared("answer", ours, "LiteLLM", _rates),
            at_least=True,
            unit="×",
        ),
        Goal(
            "requests/s, of Portkey's", 10, results.compared("answer", ours, "Portkey", _rates), at_least=True, unit="×"
        ),
        Goal("added p50, one connection", 0.5, _ms(results.compared("alone", ours, direct, _added_p50))),
        Goal(f"p99 at {STEADY_RATE:,} requests/s", 3, _ms(results.median("steady", ours, _p99))),
        Goal("added to a stream's first byte", 0.3, _ms(results.compared("stream", ours, direct, _added_first_byte))),
        Goal("added to each chunk, median", 0.1, _ms(results.compared("stream", ours, direct, _added_p50))),
    )


def _rates(ours: Sample, theirs: Sample) -> float:
    return ours.rate / theirs.rate


def _p50(sample: Sample) -> float:
    return sample.outcome.p50


def _p99(sample: Sample) -> float:
    return sample.outcome.p99


def _first_byte(sample: Sample) -> float:
    return sample.outcome.first_byte


def _cpu_per_chunk(sample: Sample) -> float:
    return sample.cpu / max(sample.outcome.chunks, 1)


def _added_p50(ours: Sample, theirs: Sample) -> float:
    return ours.outcome.p50 - theirs.outcome.p50


def _added_first_byte(ours: Sample, theirs: Sample) -> float:
    return ours.outcome.first_byte - theirs.outcome.first_byte


def _tell(value: float | None, unit: Callable[[float], str]) -> str:
    return _DASH if value is None else unit(value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.3f} ms" if abs(seconds) < 1e-2 else f"{seconds * 1e3:,.1f} ms"
