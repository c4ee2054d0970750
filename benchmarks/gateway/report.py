"""The tables of a run of all proxies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.gateway.dialogue import ANSWER_BYTES, CHUNKS, GAP_MS
from benchmarks.gateway.goals import Goal, goals_table
from benchmarks.gateway.plan import CONNECTIONS, OURS, PROMPT_BYTES, STEADY_CONNECTIONS, STEADY_RATE, Plan
from benchmarks.gateway.samples import Results, Sample
from benchmarks.gateway.tokenboard import GATEWAY_ALONE
from benchmarks.table import Table, figure

_DASH = "—"


@dataclass(frozen=True, slots=True)
class Report:
    """A run: its results, the proxies in the order of the rows, and why some are ``missing``."""

    plan: Plan
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
        f"connections. Proxies run {report.cores}. They take turns for {report.plan.told()} "
        f"({len(report.plan.slow_rounds())} with the slow ones); figures are medians. "
    )
    if results.of("answer", GATEWAY_ALONE):
        about += (
            f"“{GATEWAY_ALONE}” has its core to itself, and its board shares the other one with upstream and load. "
        )
    if report.answered:
        about += (
            "CPU time holds all that a request causes later: for tokenboard, a durable record (fsync), the ledger, the "
            f"rankings. Of tokenboard's {report.answered:,} answers every one was in the rankings at the end. "
        )
    about += f"Other work took {results.others():.0%} of the machine meanwhile. "
    about += f"Requests that failed: {told}." if told else "No request failed."
    yield _throughput(report, "answer", f"Gateway: an answer of {ANSWER_BYTES} bytes", about)
    about = f"The same answer to a prompt of {PROMPT_BYTES:,} bytes."
    yield _throughput(report, "prompt", "Gateway: a prompt of 20 KB", about)
    if any(results.of("answer", name) for name in (OURS, GATEWAY_ALONE)):
        yield _processes(report)
    yield _latency(report)
    yield _streams(report)
    yield goals_table(_goals(results, report.direct))


def _throughput(report: Report, load: str, title: str, about: str) -> Table:
    columns = (
        title,
        "requests/s",
        "p50",
        "p99",
        "CPU per request",
        "of its core",
        "of the other core",
        "resident",
        "of nginx's requests/s",
    )
    results = report.results

    def cells(name: str) -> tuple[str, ...]:
        def told(what: Callable[[Sample], float], unit: Callable[[float], str]) -> str:
            return _tell(results.median(load, name, what), unit)

        return (
            told(lambda sample: sample.rate, figure),
            told(_p50, milliseconds),
            told(_p99, milliseconds),
            told(lambda sample: sample.per_request, microseconds),
            told(lambda sample: sample.core, percent),
            told(lambda sample: sample.other_core, percent),
            told(lambda sample: sum(sample.resident.values()), mebibytes),
            _tell(results.compared(load, name, "nginx", _rates), lambda ratio: f"{ratio:.3f}"),
        )

    return Table(title, about, columns, report.rows(cells, len(columns)))


def _processes(report: Report) -> Table:
    """Tell what each role of tokenboard's processes uses, and what stands around it."""
    title = "Gateway: tokenboard's processes"
    columns = (title, "CPU per request", "of a core, under load", "resident")
    about = (
        f"The {ANSWER_BYTES}-byte answer as above: what the processes of each role use for a request, what upstream "
        "and load use for it, and what they hold in memory. A role is the command of its process; where `serve` has no "
        "others beside it, it is all of tokenboard in one."
    )
    results = report.results
    rows: list[tuple[str, ...]] = []
    for name in (OURS, GATEWAY_ALONE):
        samples = results.of("answer", name).values()
        for role in sorted(set().union(*(sample.roles for sample in samples))):
            figures = (
                _tell(results.median("answer", name, _cpu_of(role)), microseconds),
                _tell(results.median("answer", name, _busy_of(role)), percent),
                _tell(results.median("answer", name, _resident_of(role)), mebibytes),
            )
            rows.append((f"{name}: `{role}`", *figures))
        if samples:
            around = results.median("answer", name, _around)
            share = results.median("answer", name, lambda sample: _around(sample) * sample.rate)
            rows.append((f"{name}: upstream and load", _tell(around, microseconds), _tell(share, percent), _DASH))
    return Table(title, about, columns, tuple(rows))


def _latency(report: Report) -> Table:
    title = "Gateway: latency"
    rate = f"{STEADY_RATE:,}/s"
    columns = (title, "p50, one connection", "added", "p99, one connection", f"p50 at {rate}", f"p99 at {rate}")
    about = (
        f"The {ANSWER_BYTES}-byte answer: one connection that asks again at once, and {rate} that come whether or not "
        f"answers do, over {STEADY_CONNECTIONS} connections, by our own client, each timed from when it was due. "
        "Everything runs meanwhile: for tokenboard, committer, board, ledger and rankings too. "
        "Added: beyond direct, in the same round. The slow ones cannot take so many."
    )
    results = report.results

    def cells(name: str) -> tuple[str, ...]:
        return (
            _tell(results.median("alone", name, _p50), milliseconds),
            _tell(results.compared("alone", name, report.direct, _added_p50), milliseconds),
            _tell(results.median("alone", name, _p99), milliseconds),
            _tell(results.median("steady", name, _p50), milliseconds),
            _tell(results.median("steady", name, _p99), milliseconds),
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
            _tell(results.median("stream", name, _first_byte), milliseconds),
            _tell(results.compared("stream", name, report.direct, _added_first_byte), milliseconds),
            _tell(results.median("stream", name, _p50), milliseconds),
            _tell(results.compared("stream", name, report.direct, _added_p50), milliseconds),
            _tell(results.median("stream", name, _p99), milliseconds),
            _tell(results.median("stream", name, _cpu_per_chunk), microseconds),
        )

    return Table(title, about, columns, report.rows(cells, len(columns)))


def _goals(results: Results, direct: str) -> tuple[Goal, ...]:
    def times(ours: str, theirs: str, bound: float) -> Goal:
        measured = results.compared("answer", ours, theirs, _rates)
        return Goal(f"{ours}: requests/s, of {theirs}'s", bound, measured, at_least=True, unit="×")

    def latencies(ours: str) -> Iterator[Goal]:
        yield Goal(f"{ours}: p99 at {STEADY_RATE:,} requests/s", 3, _ms(results.median("steady", ours, _p99)))
        yield Goal(f"{ours}: added p50, one connection", 0.4, _ms(results.compared("alone", ours, direct, _added_p50)))
        first = results.compared("stream", ours, direct, _added_first_byte)
        yield Goal(f"{ours}: added to a stream's first byte", 0.3, _ms(first))
        chunk = results.compared("stream", ours, direct, _added_p50)
        yield Goal(f"{ours}: added to each chunk, median", 0.1, _ms(chunk))

    resident = results.median("answer", GATEWAY_ALONE, _resident_of("gateway"))
    return (
        times(OURS, "nginx", 0.20),
        times(OURS, "TensorZero", 1.25),
        times(OURS, "Portkey", 15),
        times(OURS, "LiteLLM", 60),
        times(GATEWAY_ALONE, "nginx", 0.25),
        *latencies(OURS),
        *latencies(GATEWAY_ALONE),
        Goal("a gateway's resident memory", 60, None if resident is None else resident / 2**20, unit="MiB"),
    )


def _cpu_of(role: str) -> Callable[[Sample], float]:
    return lambda sample: sample.cpu.get(role, 0.0) / sample.outcome.requests


def _busy_of(role: str) -> Callable[[Sample], float]:
    return lambda sample: sample.busy.get(role, 0.0) / sample.outcome.seconds


def _resident_of(role: str) -> Callable[[Sample], float]:
    return lambda sample: sample.resident.get(role, 0)


def _around(sample: Sample) -> float:
    """Return the CPU seconds of upstream and load for one request."""
    return (sample.upstream + sample.outcome.cpu) / sample.outcome.requests


def _rates(ours: Sample, theirs: Sample) -> float:
    return ours.rate / theirs.rate


def _p50(sample: Sample) -> float:
    return sample.outcome.p50


def _p99(sample: Sample) -> float:
    return sample.outcome.p99


def _first_byte(sample: Sample) -> float:
    return sample.outcome.first_byte


def _cpu_per_chunk(sample: Sample) -> float:
    return sum(sample.cpu.values()) / max(sample.outcome.chunks, 1)


def _added_p50(ours: Sample, theirs: Sample) -> float:
    return ours.outcome.p50 - theirs.outcome.p50


def _added_first_byte(ours: Sample, theirs: Sample) -> float:
    return ours.outcome.first_byte - theirs.outcome.first_byte


def _tell(value: float | None, unit: Callable[[float], str]) -> str:
    return _DASH if value is None else unit(value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def milliseconds(seconds: float) -> str:
    """Tell a time to the microsecond, if it is short."""
    return f"{seconds * 1e3:,.3f} ms" if abs(seconds) < 1e-2 else f"{seconds * 1e3:,.1f} ms"


def microseconds(seconds: float) -> str:
    """Tell CPU time."""
    return f"{figure(seconds * 1e6)} µs"


def mebibytes(size: float) -> str:
    """Tell memory."""
    return f"{size / 2**20:,.0f} MiB"


def percent(share: float) -> str:
    """Tell a share."""
    return f"{share:.0%}"
