import json
import subprocess
import sys
from pathlib import Path

KILLS = 12


def test_kill_9_in_the_middle_of_inserts_loses_and_doubles_nothing_once_the_batch_is_retried(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger.torture", str(tmp_path / "ledger"), str(KILLS), "1"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=110,
    )
    outcome = json.loads(done.stdout)
    assert [] == outcome["wrong"]
    assert outcome["batches"] >= 3
    assert outcome["interrupted"] >= KILLS / 2
