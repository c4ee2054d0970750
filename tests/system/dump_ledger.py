"""Print what a stopped board's ledger holds, as JSON: run as a process of its own, as the engine takes one folder each.

``python -m tests.system.dump_ledger FOLDER`` prints ``{"ids": {id: rows}, "totals": {table: [sums…]}}``.
"""

import json
import sys
from dataclasses import astuple

import clickhouse_connect

from tokenboard.ledger import Ledger


def main(folder: str) -> None:
    ledger = Ledger(f"chdb://{folder}/ledger")
    totals = {table: [astuple(day) for day in days] for table, days in ledger.totals().items()}
    ledger.close()
    client = clickhouse_connect.get_client(interface="chdb", path=f"{folder}/ledger")
    ids = {row[0]: row[1] for row in client.query("SELECT id, count() FROM usage GROUP BY id").result_rows}
    by_app = client.query(
        "SELECT app_id, countIf(NOT failed), sum(toUInt128(ifNull(prompt_tokens, 0) + ifNull(completion_tokens, 0))) "
        "FROM usage GROUP BY app_id ORDER BY app_id"
    ).result_rows
    client.close()
    json.dump({"ids": ids, "totals": totals, "by_app": by_app}, sys.stdout, default=str)


if __name__ == "__main__":
    main(sys.argv[1])
