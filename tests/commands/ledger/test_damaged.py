"""A ledger with a damaged row: the row has a question mark, and the others are shown."""

import sqlite3
from contextlib import closing

import pytest

from atectl import config
from atectl.ledger_store.opening import open_for_writing
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.program import atectl


@pytest.mark.parametrize("column", ["cpu_s", "byte_seconds"])
def test_a_number_that_is_none_is_a_question_mark(column: str) -> None:
    with closing(open_for_writing()) as store:
        for name in ("alpha", "beta"):
            store.flush([lease(name, **just_now(), current_bytes=MIB, peak_bytes=MIB)])
    path = config.ledger_path()
    assert path is not None
    with closing(sqlite3.connect(path)) as damaged, damaged:
        damaged.execute(f"UPDATE accounts SET {column} = 9e999 WHERE principal = 'alpha'")
    shown = atectl("ledger", "ls")
    assert shown.status == 0, shown.stderr
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "?" in rows["alpha"]
    assert "?" not in rows["beta"]
