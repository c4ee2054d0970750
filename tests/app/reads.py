"""What one may read of a board: the ranking, an app, a page, its readiness."""

from typing import Any

import httpx


def reads(url: str, key: str) -> dict[str, Any]:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        days = {"start_date": "2025-03-01", "end_date": "2025-03-02"}
        ranking = client.get("/api/v1/datasets/app-rankings", params=days)
        return {
            "ranking": [(row["app_name"], row["total_tokens"]) for row in ranking.json()["data"]],
            "apps": client.get("/api/v1/apps").status_code,
            "page": client.get("/").status_code,
            "readyz": client.get("/readyz").json()["checks"]["ledger"],
        }
