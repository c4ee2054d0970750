"""Rules 1 to 16 of usage, slowly and obviously: a list of decoded events in, what the meter should find out."""

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from tokenboard.usage import Usage, UsageSource

MAX = 10**12
ENDS = {
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "message_stop",
    "transcript.text.done",
}
FAILS = {"response.failed", "response.cancelled", "error"}


class Expected(NamedTuple):
    """What a meter tells of an answer that came to its end."""

    usage: Usage
    failed: bool
    tool_calls: bool


def number(value: Any) -> int | None:
    """A count as servers write it: whole, not negative, not absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = int(value)
    except (ValueError, OverflowError):
        return None
    return count if 0 <= count <= MAX and (isinstance(value, str) or count == value) else None


def money(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount >= 0 else None


def told(values: list[Any]) -> Any:
    """Of several names for one thing: a count beats a zero, the first of each kind counts, a zero beats nothing."""
    known = [value for value in values if value is not None]
    return next((value for value in known if value), known[0] if known else None)


def inside(usage: dict[str, Any], groups: tuple[str, ...], names: tuple[str, ...]) -> list[int | None]:
    """The numbers of these names in the first of these groups that is there."""
    group = next((usage[name] for name in groups if usage.get(name)), None)
    return [number(group.get(name)) if isinstance(group, dict) else None for name in names]


def words_of(usage: Any, style: str) -> dict[str, Any]:
    """What one usage object says. ``style``: "anthropic" (cached beside the input), "openai" (inside), or "any"."""
    if not isinstance(usage, dict):
        return {}
    count = {name: number(usage.get(name)) for name in usage}
    total = count.get("total_tokens")
    completion = told([count.get("completion_tokens"), count.get("output_tokens")])
    details = ("prompt_tokens_details", "input_tokens_details")
    reasoning = told(
        [
            *inside(
                usage, ("completion_tokens_details", "output_tokens_details"), ("reasoning_tokens", "thinking_tokens")
            ),
            count.get("reasoning_tokens"),
        ]
    )
    read = count.get("cache_read_input_tokens")
    written = count.get("cache_creation_input_tokens")
    parts = usage.get("cache_creation")
    if not written and isinstance(parts, dict):
        spans = [number(parts.get(f"ephemeral_{span}_input_tokens")) for span in ("5m", "1h")]
        if spans != [None, None]:
            written = sum(span or 0 for span in spans)
    if not written:
        written = told([written, *inside(usage, details, ("cache_write_tokens", "cache_creation_tokens"))])
    ticks = money(usage.get("cost_in_usd_ticks"))
    cost = usage.get("cost")
    cost = money(cost.get("total_cost") if isinstance(cost, dict) else cost)
    cost = told([cost, money(usage.get("estimated_cost")), None if ticks is None else ticks / 10**10])
    prompt, given = count.get("prompt_tokens"), count.get("input_tokens")
    uses_input = given is not None and (prompt is None or (prompt == 0 and given > 0))
    beside = not (
        style == "openai"
        or (style == "any" and (total is not None or any(usage.get(name) is not None for name in details)))
        or (total is not None and total == (given or 0) + (completion or 0))
    )
    later = given is None and prompt is None and total is None and "completion_tokens" not in usage
    if (uses_input and beside) or (later and style != "openai"):
        words = {"fresh": given, "written": written, "read": read}
        if given is not None and total is not None and completion is not None:
            rest = total - given - (written or 0) - (read or 0) - completion
            if rest > 0 and reasoning in (None, rest):
                completion, reasoning = completion + rest, rest
            elif rest > 0:
                words["fresh"] = given + rest
        elif given is not None and total is not None:
            sent = given + (written or 0) + (read or 0)
            completion = total - sent if total >= sent else None
        for iteration in usage.get("iterations") or []:
            if iteration["type"] == "compaction":
                names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
                words["beside"] = (words.get("beside") or 0) + sum(iteration.get(name) or 0 for name in names)
                words["beside_read"] = (words.get("beside_read") or 0) + (iteration.get(names[2]) or 0)
                words["beside_output"] = (words.get("beside_output") or 0) + (iteration.get("output_tokens") or 0)
        return {**words, "completion": completion, "reasoning": reasoning, "cost": cost}
    if uses_input:
        prompt = given
    cached = told(
        [
            *inside(usage, details, ("cached_tokens",)),
            count.get("prompt_cache_hit_tokens"),
            count.get("cached_tokens"),
            read,
        ]
    )
    if total is not None and prompt is not None and completion is not None and total > prompt + completion:
        rest = total - prompt - completion
        if rest in ((cached or 0) + (written or 0), written, cached):
            prompt += rest
        elif reasoning is None or reasoning == rest:
            completion, reasoning = completion + rest, rest
        else:
            prompt += rest
    elif total is not None and prompt is not None and completion is None and total >= prompt:
        completion = total - prompt
    elif total is not None and prompt is None and completion is not None and total >= completion:
        prompt = total - completion
    return {"prompt": prompt, "completion": completion, "cached": cached, "reasoning": reasoning, "cost": cost}


def words_of_gemini(usage: Any) -> dict[str, Any]:
    if not isinstance(usage, dict):
        return {}
    prompt, total = number(usage.get("promptTokenCount")), number(usage.get("totalTokenCount"))
    answer, thought = number(usage.get("candidatesTokenCount")), number(usage.get("thoughtsTokenCount"))
    if prompt is not None:
        prompt += number(usage.get("toolUsePromptTokenCount")) or 0
    if prompt is not None and total is not None:
        rest = total - prompt - (answer or 0) - (thought or 0)
        if answer is None and rest >= 0:
            answer = rest
        elif rest > 0 and thought is None:
            thought = rest
        elif rest > 0:
            prompt += rest
    return {
        "prompt": prompt,
        "answer": answer,
        "thought": thought,
        "cached": number(usage.get("cachedContentTokenCount")),
    }


def words_at_top(event: dict[str, Any]) -> dict[str, Any]:
    kind = str(event.get("type", ""))
    style = "any"
    if kind.startswith("message"):
        style = "anthropic"
    elif event.get("object") == "response" or kind.startswith("response."):
        style = "openai"
    usage = event.get("usage")
    words = words_of(usage, style)
    if not isinstance(usage, dict) or words.get("completion") is not None:
        return words
    if words.get("prompt") is not None:
        return {**words, "completion": 0} if event.get("object") == "list" else words
    output = ("choices", "output", "content", "candidates", "message", "response", "type")
    alone = all(usage.get(f"{name}_tokens") is None for name in ("prompt", "completion", "input", "output"))
    if alone and not any(name in event for name in output) and number(usage.get("total_tokens")) is not None:
        return {"prompt": number(usage["total_tokens"]), "completion": 0, "cost": words.get("cost")}
    return words


def words_of_event(event: dict[str, Any]) -> dict[str, Any]:
    """The words of every place of an event, the most trusted last."""
    found: dict[str, Any] = {}
    metrics = event.get("amazon-bedrock-invocationMetrics")
    choices = event.get("choices")
    groq, message, response = (event.get(name) for name in ("x_groq", "message", "response"))
    places = [
        words_of_gemini(event.get("usageMetadata")),
        {
            "fresh": number(metrics.get("inputTokenCount")),
            "written": number(metrics.get("cacheWriteInputTokenCount")),
            "read": number(metrics.get("cacheReadInputTokenCount")),
            "completion": number(metrics.get("outputTokenCount")),
        }
        if isinstance(metrics, dict)
        else {},
        words_of(groq.get("usage"), "any") if isinstance(groq, dict) else {},
        *[words_of(choice.get("usage"), "any") for choice in choices or []][-1:],
        words_of(message.get("usage"), "anthropic") if isinstance(message, dict) else {},
        words_of(response.get("usage"), "openai") if isinstance(response, dict) else {},
        words_at_top(event),
    ]
    if "prompt_eval_count" in event or "eval_count" in event:
        prompt, completion = number(event.get("prompt_eval_count")), number(event.get("eval_count"))
        places.insert(
            0, {"prompt": prompt, "completion": 0 if completion is None and prompt is not None else completion}
        )
    for words in places:
        if any(words.values()):
            replace(found, words)
    return found


def replace(known: dict[str, Any], words: dict[str, Any]) -> None:
    for name, value in words.items():
        if value or (value is not None and known.get(name) is None):
            known[name] = value


def is_error(event: dict[str, Any]) -> bool:
    error = event.get("error")
    if isinstance(error, dict):
        error = any(error.get(name) not in (None, "", 0, "0") for name in ("message", "code")) or (
            "message" not in error and "code" not in error and any(error.values())
        )
    base = event.get("base_resp")
    return bool(
        error
        or event.get("object") == "error"
        or event.get("type") in FAILS
        or (isinstance(base, dict) and base.get("status_code"))
    )


def characters(event: dict[str, Any]) -> int:
    """How many characters of output the events that the tests make hold."""
    count = 0
    for choice in event.get("choices") or []:
        message = choice.get("delta") or choice.get("message") or {}
        count += len(message.get("content") or "") + len(message.get("refusal") or "")
        count += len(message.get("reasoning_content") or "") + len((message.get("audio") or {}).get("transcript", ""))
        for function in [
            *[call["function"] for call in message.get("tool_calls") or []],
            *([message["function_call"]] if message.get("function_call") else []),
        ]:
            count += len(function.get("name", "")) + len(function.get("arguments", ""))
    delta = event.get("delta")
    if isinstance(delta, dict):
        count += sum(len(delta.get(name, "")) for name in ("text", "thinking", "partial_json"))
    elif isinstance(delta, str):
        count += len(delta)
    for candidate in event.get("candidates") or []:
        count += sum(len(part.get("text", "")) for part in candidate["content"]["parts"])
    if isinstance(event.get("message"), dict):
        count += len(event["message"].get("content") or "")
    return count


def calls_tool(event: dict[str, Any]) -> bool:
    messages = [choice.get("delta") or choice.get("message") or {} for choice in event.get("choices") or []]
    return any(message.get("tool_calls") or message.get("function_call") for message in messages)


def expected(events: list[dict[str, Any]], *, streamed: bool) -> Expected:
    """What a meter should tell of an answer of these events that came to its end."""
    known: dict[str, Any] = {}
    output = 0
    erred = broken = reported = False
    for event in events:
        words = words_of_event(event)
        if any(words.values()):
            replace(known, words)
            broken = False
            reported = reported or event.get("type") != "message_start"
        output += characters(event)
        if is_error(event):
            erred = True
            broken = not any(words.values())
    calls = any(map(calls_tool, events))
    if erred and not reported and not output:
        return Expected(Usage(), True, calls)
    if known:
        source = UsageSource.PARTIAL if broken and streamed else UsageSource.REPORTED
        return Expected(settled(known, source), False, calls)
    if erred:
        # The output is counted in full only while no usage is known, which is here.
        return Expected(Usage(completion_tokens=-(-output // 4), source=UsageSource.ESTIMATED), False, calls)
    return Expected(Usage(), False, calls)


def settled(known: dict[str, Any], source: UsageSource) -> Usage:
    prompt, cached = known.get("prompt"), known.get("cached")
    if not prompt:
        cached = known.get("read", cached)
        if "fresh" in known:
            prompt = known["fresh"] + known.get("written", 0) + known.get("read", 0) + known.get("beside", 0)
            if cached is not None or "beside_read" in known:
                cached = (cached or 0) + known.get("beside_read", 0)
    completion = known.get("completion")
    if completion is not None:
        completion += known.get("beside_output", 0)
    if not completion and "answer" in known:
        completion = known["answer"] + known.get("thought", 0)
    reasoning = known.get("reasoning", known.get("thought"))
    prompt, completion = number(prompt), number(completion)
    if cached is not None and prompt is not None and cached > prompt:
        cached = None
    if reasoning is not None and completion is not None and reasoning > completion:
        reasoning = None
    if not any((prompt, completion, cached, reasoning, known.get("cost"))):
        return Usage()
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        cost=known.get("cost"),
        source=source,
    )
