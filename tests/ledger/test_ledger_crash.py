import json
import signal
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


def test_a_fault_of_the_engine_ends_the_process_at_once(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from tokenboard.ledger import Ledger; ledger = Ledger(sys.argv[1]); "
        "os.kill(os.getpid(), signal.SIGSEGV)"
    )
    done = subprocess.run([sys.executable, "-c", program, f"chdb://{tmp_path / 'ledger'}"], check=False, timeout=50)
    assert -signal.SIGSEGV == done.returncode
