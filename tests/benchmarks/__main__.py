"""Build the wheel, install it apart, and print every table: `python -m tests.benchmarks`.

Ends with status 1 if a figure is over its bound.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    accounting,
    arbitration,
    batch,
    cells,
    fleet,
    hosts,
    load,
    locks,
    processes,
    small_modules,
)
from tests.benchmarks.measuring import Row, table

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    is_within = True
    with tempfile.TemporaryDirectory() as folder:
        for title, measure in _tables(Path(folder)).items():
            rows = measure()
            print(table(title, rows) + "\n", flush=True)
            is_within = is_within and all(row.is_within for row in rows)
    return int(not is_within)


def _tables(folder: Path) -> dict[str, Callable[[], list[Row]]]:
    """What measures each table, by the table's title."""
    atectl = _installed_from_a_wheel(folder)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    ledger = folder / "full.db"
    _fill(ledger)
    return {
        "Warm start, `atectl run` / `wasmtime run`": lambda: processes.warm_start(
            atectl, environment
        ),
        "Start-up, `atectl` / `python -c pass`": lambda: processes.start_up(atectl, environment),
        "At the prompt": lambda: [
            *processes.prompt(atectl, environment),
            *processes.full_ledger(atectl, environment, ledger),
        ],
        "Many capsules, `batch --jobs 2` / `xargs -P2 wasmtime run`": lambda: batch.beside_wasmtime(
            atectl, environment, folder
        ),
        "Cells": lambda: [
            *cells.making(),
            *cells.one_for_each(atectl, environment, folder),
        ],
        "One limit for many": lambda: [
            *batch.headline(atectl, environment),
            *batch.never_tripped(atectl, environment, folder),
            *batch.growths(atectl, environment, folder),
            *batch.many_jobs(atectl, environment, folder),
            *batch.many_at_once(atectl, environment, folder),
            *batch.memory_of_leases(atectl, environment, folder),
            *small_modules.rows(atectl, environment, folder),
            *arbitration.growths(),
            *arbitration.decisions(),
            *arbitration.spilling(folder),
        ],
        "One ledger for many hosts": fleet.rows,
        "A batch over hosts": hosts.rows,
        "Loading, `atectl load` / everything held": lambda: [
            *load.beside_naive(atectl, environment, folder),
            *load.cold_runs(atectl, environment),
        ],
        "Metering, metered / not": accounting.metering,
        "The ledger, full at 4,096 accounts": accounting.ledger,
        "Actor locks": lambda: [
            *locks.start_up(atectl, environment),
            *locks.listing(atectl, environment),
        ],
    }


def _installed_from_a_wheel(folder: Path) -> str:
    """The program of a fresh environment, as a user has it."""
    home = folder / "venv"
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    [wheel] = folder.glob("atectl-*.whl")
    subprocess.run([*pip, "install", f"{wheel}[encodings]"], check=True)
    return str(home / "bin" / "atectl")


def _fill(path: Path) -> None:
    from atectl.accounting import MAX_PRINCIPALS
    from atectl.ledger_store.sqlite.store import SqliteLedgerStore
    from tests.support.lease_records import finish, make_lease

    store = SqliteLedgerStore(path, host="benchmark")
    store.flush(
        finish(make_lease(id=f"lease-{n}", principal=f"principal-{n}", peak_bytes=n + 1))
        for n in range(MAX_PRINCIPALS)
    )
    store.close()


if __name__ == "__main__":
    sys.exit(main())
