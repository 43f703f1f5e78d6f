"""The ledger of one process: which leases run, which have ended, and what their accounts have."""

import threading

import pytest

from atectl.accounting import Account, Usage
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import LeaseRecord
from tests.support.lease_records import MIB, finish, make_lease
from tests.support.told_lease import ToldLease


@pytest.fixture
def ledger() -> ProcessLedger:
    return ProcessLedger(ended_kept=3)


def opened(ledger: ProcessLedger, **changes: object) -> ToldLease:
    lease = ToldLease(make_lease(**changes))
    ledger.open(lease)
    return lease


def ended(ledger: ProcessLedger, lease: ToldLease, **changes: object) -> LeaseRecord:
    lease.now = finish(lease.now, **changes)
    ledger.close(lease)
    return lease.now


def usage(ledger: ProcessLedger, principal: str = "alice") -> Usage:
    account = ledger.account(principal)
    assert account is not None
    return account.usage


class TestLeases:
    def test_a_lease_is_listed_from_its_start_to_its_end_as_it_is_now(
        self, ledger: ProcessLedger
    ) -> None:
        assert ledger.running() == []
        lease = opened(ledger)
        assert ledger.running() == [make_lease()]
        lease.now = make_lease(current_bytes=9 * MIB)
        assert ledger.running() == [make_lease(current_bytes=9 * MIB)]
        ended(ledger, lease)
        assert ledger.running() == []

    def test_leases_are_listed_in_the_order_in_which_they_began(
        self, ledger: ProcessLedger
    ) -> None:
        first, _, _ = (opened(ledger, id=name) for name in "bac")
        ended(ledger, first)
        assert [lease.id for lease in ledger.running()] == ["a", "c"]

    def test_what_has_ended_is_taken_once(self, ledger: ProcessLedger) -> None:
        done = [ended(ledger, opened(ledger, id=name)) for name in "ab"]
        assert ledger.take_ended() == done
        assert ledger.take_ended() == []

    def test_what_nobody_takes_is_bounded(self, ledger: ProcessLedger) -> None:
        for name in "abcde":
            ended(ledger, opened(ledger, id=name))
        assert [lease.id for lease in ledger.take_ended()] == ["c", "d", "e"]

    def test_where_nothing_is_stored_nothing_is_kept_to_be_taken(self) -> None:
        ledger = ProcessLedger()
        ended(ledger, opened(ledger))
        assert ledger.take_ended() == []
        assert usage(ledger).leases == 1

    def test_a_lease_that_ended_otherwise_is_told_again_and_counted_once(
        self, ledger: ProcessLedger
    ) -> None:
        lease = opened(ledger)
        said = ended(ledger, lease)
        lease.now = finish(make_lease(), reason="lock-lost", exit_status=125)
        ledger.amend(lease)
        assert ledger.take_ended() == [said, lease.now]
        assert usage(ledger).leases == 1


class TestAccounts:
    def test_they_have_what_running_leases_used_so_far(self, ledger: ProcessLedger) -> None:
        lease = opened(ledger, fuel=100)
        assert ledger.accounts() == [
            Account("alice", 2 * MIB, Usage(3 * MIB, 100, 0.5, 10.0, 1, 1, 0), 1)
        ]
        lease.now = make_lease(fuel=130)
        assert usage(ledger).fuel == 130

    def test_however_often_they_are_looked_at_a_lease_counts_once(
        self, ledger: ProcessLedger
    ) -> None:
        lease = opened(ledger)
        for _ in range(3):
            ledger.accounts()
            ledger.running()
        ended(ledger, lease, fuel=150)
        assert (usage(ledger).leases, usage(ledger).fuel) == (1, 150)

    def test_leases_that_have_ended_are_forgotten(self, ledger: ProcessLedger) -> None:
        for n in range(50):
            lease = opened(ledger, id=f"l{n}")
            ledger.running()
            ended(ledger, lease)
        assert usage(ledger).leases == 50
        assert ledger._counted == {}

    def test_a_look_that_takes_long_does_not_set_a_lease_back(self, ledger: ProcessLedger) -> None:
        lease = HeldUp(make_lease(fuel=1))
        ledger.open(lease)
        slow = threading.Thread(target=ledger.accounts)
        slow.start()
        assert lease.is_read.wait(30)
        lease.now = make_lease(fuel=2)
        quick = threading.Thread(target=ledger.accounts)
        quick.start()
        quick.join(0.1)  # it has this long to overtake, and must not
        lease.go_on.set()
        slow.join()
        quick.join()
        lease.now = make_lease(fuel=3)
        assert usage(ledger).fuel == 3

    def test_a_lease_that_ends_while_it_is_looked_at_is_counted_once(
        self, ledger: ProcessLedger
    ) -> None:
        lease = HeldUp(make_lease(fuel=1))
        ledger.open(lease)
        look = threading.Thread(target=ledger.accounts)
        look.start()
        assert lease.is_read.wait(30)
        end = threading.Thread(target=ledger.close, args=(lease,))
        end.start()
        end.join(0.1)
        lease.go_on.set()
        look.join()
        end.join()
        assert usage(ledger).leases == 1
        assert ledger._counted == {}


class HeldUp(ToldLease):
    """A lease whose first reader is held up with what it has read."""

    def __init__(self, now: LeaseRecord) -> None:
        super().__init__(now)
        self.is_read = threading.Event()
        self.go_on = threading.Event()

    def record(self) -> LeaseRecord:
        now = self.now
        if not self.is_read.is_set():
            self.is_read.set()
            assert self.go_on.wait(30)
        return now
