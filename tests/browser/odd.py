"""Apps whose names break layouts, and how they reach a board: through its own door."""

import httpx

from tests.board import BoardProcess, now_text
from tests.web.names import ODD_TITLES

MODEL = "odd-author/" + "a-model-whose-name-has-no-place-to-break-it".replace("-", "") * 2
LONG_URL = "https://strange-long.example/" + "unbroken" * 20
_TOKENS = 30_000_000


def report_odd_apps(board: BoardProcess, key: str) -> dict[str, str]:
    """Report usage of an app of every odd title, enough for the top of the day; return titles by URL."""
    titles = {f"https://strange-{kind}.example": title for kind, title in ODD_TITLES.items()}
    titles[LONG_URL] = "A title of usual length"
    events = [
        {
            "id": f"strange-{number}",
            "ts": now_text(),
            "referer": url,
            "title": title,
            "categories": "cli-agent,native-app-builder",
            "model": MODEL,
            "prompt_tokens": _TOKENS * (number + 1),
            "completion_tokens": 1_000,
            "status": 200,
        }
        for number, (url, title) in enumerate(titles.items())
    ]
    answer = httpx.post(
        f"{board.url}/api/v1/usage", json=events, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code == 202, answer.text
    board.wait_until_counted()
    return titles
