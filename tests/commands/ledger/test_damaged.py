"""A ledger with a damaged row: the row has a question mark, and the others are shown."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from atectl import config
from atectl.ledger_store.opening import open_for_writing
from tests.support.lease_records import finish
from tests.support.ledger_records import MIB, just_now, lease
from tests.support.program import Ended, atectl
from tests.support.schemas import require_valid

OF_ACCOUNTS = ("cpu_s", "compile_cpu_s", "byte_seconds", "since", "updated_at")
OF_LEASES = (
    *("cpu_s", "compile_s", "compile_cpu_s", "byte_seconds"),
    *("started_at", "updated_at", "finished_at"),
)
TIMES = ("since", "started_at", "updated_at", "finished_at")


@pytest.fixture(autouse=True)
def two_accounts() -> None:
    """Each with a lease that runs and one that has finished."""
    with closing(open_for_writing()) as store:
        for name in ("alpha", "beta"):
            running = lease(name, **just_now(), id=name, current_bytes=MIB, peak_bytes=MIB)
            store.flush([running, finish(running._replace(id=f"{name}-finished"))])


def damage(table: str, column: str, value: str) -> None:
    path = config.ledger_place()
    assert path is not None
    with closing(sqlite3.connect(path)) as damaged, damaged:
        words = f"UPDATE {table} SET {column} = {value} WHERE principal = 'alpha'"
        damaged.execute(f"{words} AND {column} IS NOT NULL")


def values_of(column: str) -> list[str]:
    return ["9e999", "-9e999", *(["1e300", "-1.0"] if column in TIMES else [])]


def body_of(shown: Ended) -> Any:
    """The document that was printed, which has nothing in it that is no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(shown.stdout, parse_constant=refuse)


@pytest.mark.parametrize("column", OF_ACCOUNTS)
def test_a_number_of_an_account_that_is_none_is_null_and_named(column: str) -> None:
    for value in values_of(column):
        damage("accounts", column, value)
        shown = atectl("ledger", "ls", "-o", "json")
        assert shown.status == 0
        body = body_of(shown)
        require_valid("ledger-ls", body)
        of = {account["principal"]: account for account in body["accounts"]}
        assert of["alpha"][column] is None
        assert of["beta"][column] is not None
        told = json.loads(shown.stderr)
        assert (told["severity"], told["code"]) == ("warning", "E402")
        assert told["message"] == f"numbers of the ledger are damaged: {column} of alpha"


@pytest.mark.parametrize("column", OF_LEASES)
def test_a_number_of_a_lease_that_is_none_is_null_and_named(column: str) -> None:
    for value in values_of(column):
        damage("leases", column, value)
        shown = atectl("ledger", "history", "-o", "json")
        body = body_of(shown)
        require_valid("ledger-history", body)
        of = {each["id"]: each for each in body["leases"]}
        assert of["alpha-finished"][column] is None
        assert of["beta-finished"][column] is not None
        assert f"damaged: {column} of lease alpha-finished" in shown.stderr


@pytest.mark.parametrize("column", ["cpu_s", "compile_cpu_s", "byte_seconds", "since"])
def test_a_number_that_is_none_is_a_question_mark_in_a_table(column: str) -> None:
    damage("accounts", column, "9e999")
    shown = atectl("ledger", "ls")
    assert shown.status == 0, shown.stderr
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "?" in rows["alpha"]
    assert "?" not in rows["beta"]


@pytest.mark.parametrize("command", [["ps"], ["history"], ["show", "alpha"], ["top", "--once"]])
def test_every_command_shows_what_is_sound(command: list[str]) -> None:
    for column in OF_ACCOUNTS:
        damage("accounts", column, "9e999")
    for column in OF_LEASES:
        damage("leases", column, "9e999")
    shown = atectl("ledger", *command)
    assert shown.status == 0, shown.stderr
    assert "?" in shown.stdout
    assert "inf" not in shown.stdout


@pytest.mark.parametrize("sort", ["cpu", "gibs", "since"])
def test_a_damaged_number_does_not_disturb_the_order_of_the_others(sort: str) -> None:
    with closing(open_for_writing()) as store:
        for number, name in enumerate(("gamma", "delta", "epsilon")):
            used = {"cpu_s": float(number), "byte_seconds": float(number)}
            store.flush([lease(name, **just_now(), peak_bytes=MIB)._replace(**used)])
    column = {"cpu": "cpu_s", "gibs": "byte_seconds", "since": "since"}[sort]
    damage("accounts", column, "9e999")
    body = body_of(atectl("ledger", "ls", "-o", "json", "--sort", sort))
    sound = [each[column] for each in body["accounts"] if each[column] is not None]
    assert len(sound) == 4
    assert sound == sorted(sound, reverse=True)
