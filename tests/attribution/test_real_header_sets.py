import json
from pathlib import Path
from typing import Any

import pytest

from tokenboard.attribution import attribute

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "attribution.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"].encode("ascii", "backslashreplace").decode())
def test_header_sets_of_real_apps_are_attributed_as_expected(case: dict[str, Any]) -> None:
    attribution = attribute([(name.encode(), value.encode()) for name, value in case["headers"]])
    assert case["expect"] == {
        "tracked": attribution.tracked,
        "url": None if attribution.app is None else attribution.app.url,
        "title": attribution.title,
        "title_source": attribution.title_source,
        "categories": list(attribution.categories),
        "ignored": [[item.value, item.reason.value] for item in attribution.ignored],
        "reason": None if attribution.reason is None else attribution.reason.value,
        "name": attribution.name,
    }


def test_all_cases_are_there() -> None:
    assert len(CASES) == 75
