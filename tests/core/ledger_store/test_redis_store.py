"""The ledger on a server: its sequence, what it lost, and keys that are not its own.

What any store does is in contract/.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

import pytest

from atectl.errors import LedgerCorrupt, LedgerTooNew, LedgerUnavailable
from atectl.ledger_store.redis import keys
from atectl.ledger_store.redis import store as module
from atectl.ledger_store.redis.session import KEPT_S, Sent, Session
from atectl.ledger_store.redis.store import LEASES_AT_ONCE, RedisLedgerStore
from atectl.redis.client import Client
from atectl.redis.connection import connect
from atectl.redis.errors import RedisTimeout
from atectl.redis.settings import parse_redis_url
from tests.support.lease_records import NOW, finish, make_lease
from tests.support.redis_gate import RedisGate
from tests.support.redis_servers import Server, lose_everything


def opened(url: str, now: float = NOW + 1, session: Session | None = None) -> RedisLedgerStore:
    settings = parse_redis_url(url)._replace(timeout_s=2.0, retries=0)
    return RedisLedgerStore(connect(settings), session, clock=lambda: now)


@pytest.fixture
def store(any_server: Server) -> Iterator[RedisLedgerStore]:
    with closing(opened(any_server.url)) as store:
        yield store


def read_all(store: RedisLedgerStore) -> None:
    store.accounts()
    store.running()
    store.history()


def totals(store: RedisLedgerStore) -> dict[str, tuple[int, int]]:
    return {account.principal: (account.leases, account.fuel) for account in store.accounts()}


class TestSequence:
    def test_an_older_flush_that_arrives_late_is_refused(
        self, any_server: Server, store: RedisLedgerStore
    ) -> None:
        sent: list[bytes] = []
        with RedisGate(any_server, {}, question=b"EVALSHA") as gate:
            pass_on = gate._pass_on

            def keep(source, target, is_asking):  # type: ignore[no-untyped-def]
                pass_on(_Kept(source, sent) if is_asking else source, target, is_asking)

            gate._pass_on = keep  # type: ignore[method-assign]
            with closing(opened(gate.url)) as late:
                late.flush([make_lease(fuel=100)])
                late.flush([make_lease(fuel=300)])
        first = next(each for each in sent if b"EVAL" in each and b"fuel" not in each)
        with closing(any_server.client()) as client:
            connection = client.connection_pool.get_connection()
            connection.send_packed_command([first])
            answer = connection.read_response()
        assert answer[0] == 0
        store.flush([finish(make_lease(id="other", fuel=1))])
        assert totals(store) == {"alice": (2, 301)}

    def test_more_leases_than_one_script_takes_are_all_taken(self, store: RedisLedgerStore) -> None:
        store.flush(make_lease(id=f"l{n}", fuel=1) for n in range(2 * LEASES_AT_ONCE + 1))
        assert totals(store) == {"alice": (2 * LEASES_AT_ONCE + 1, 2 * LEASES_AT_ONCE + 1)}


class _Deaf:
    """A client that does not hear one answer: what it asks for is done."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._is_deaf = True

    def send_once(self, *args: object) -> object:
        answer = self._client.send_once(*args)
        if self._is_deaf:
            self._is_deaf = False
            raise RedisTimeout("no answer")
        return answer

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


class _Kept:
    """A socket whose data are kept as they are received."""

    def __init__(self, source, kept) -> None:  # type: ignore[no-untyped-def]
        self._source, self._kept = source, kept

    def recv(self, size: int) -> bytes:
        data: bytes = self._source.recv(size)
        self._kept.append(data)
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)


@contextmanager
def told_through(
    server: Server, deeds: Mapping[int, Callable[[], object]], session: Session | None = None
) -> Iterator[RedisLedgerStore]:
    """A store of which some questions meet with a deed, by their numbers."""
    question = keys.META.encode()
    with (
        RedisGate(server, deeds, question) as gate,
        closing(opened(gate.url, session=session)) as store,
    ):
        yield store


def totals_after_a_loss(server: Server, silent_s: float) -> dict[str, tuple[int, int]]:
    """What a server has that lost all of a host, and heard nothing of it for so long."""
    session, now = Session(), [0.0]
    session.sent = Sent(lambda: now[0])
    with closing(opened(server.url, session=session)) as host:
        host.flush([finish(make_lease(id="a", fuel=5))])
        lose_everything(server)
        now[0] = silent_s
        host.flush([make_lease(id="b", fuel=7)])
        return totals(host)


class TestLoss:
    def test_a_server_that_has_forgotten_its_scripts_is_sent_them(
        self, any_server: Server, store: RedisLedgerStore
    ) -> None:
        store.flush([make_lease()])
        with closing(any_server.client()) as client:
            client.script_flush()
        store.flush([make_lease(fuel=200)])
        assert totals(store) == {"alice": (1, 200)}

    def test_a_server_that_lost_everything_is_told_everything_again(
        self, any_server: Server, store: RedisLedgerStore
    ) -> None:
        store.flush([make_lease(id="a", fuel=5), finish(make_lease(id="b", fuel=7))])
        store.flush([make_lease(id="c", principal="bob", fuel=9)])
        lose_everything(any_server)
        store.flush([make_lease(id="d", principal="carol", fuel=11)])
        assert totals(store) == {"alice": (2, 12), "bob": (1, 9), "carol": (1, 11)}
        assert [lease.id for lease in store.history()] == ["b"]
        assert sum(day.leases for day in store.days(0, int(NOW // 86_400))) == 4

    def test_what_was_lost_is_told_again_though_the_connection_breaks_meanwhile(
        self, any_server: Server
    ) -> None:
        def break_connections() -> None:
            with closing(any_server.client()) as client:
                client.client_kill_filter(_type="normal", skipme=True)

        # The first flush asks twice, as the server has no script yet. The second asks twice for its
        # own lease, as it is told of the loss, and then for those that were lost.
        with told_through(any_server, {5: break_connections}) as host:
            host.flush([make_lease(id="a", fuel=5), finish(make_lease(id="b", fuel=7))])
            lose_everything(any_server)
            with pytest.raises(LedgerUnavailable):
                host.flush([make_lease(id="c", fuel=9)])
            host.flush([make_lease(id="d", fuel=11)])
        with closing(opened(any_server.url)) as store:
            assert totals(store) == {"alice": (4, 32)}

    def test_a_loss_is_noticed_though_the_first_answer_after_it_is_lost(
        self, any_server: Server
    ) -> None:
        with told_through(any_server, {}) as host:
            host.flush([finish(make_lease(id="a", fuel=5))])
            lose_everything(any_server)
            host._connection.client = _Deaf(host._connection.client)  # type: ignore[assignment]
            with pytest.raises(LedgerUnavailable):
                host.flush([make_lease(id="b", fuel=7)])
            host.flush([make_lease(id="b", fuel=7)])
            assert totals(host) == {"alice": (2, 12)}

    def test_what_was_told_just_before_is_told_again_after_a_long_outage(
        self, any_server: Server
    ) -> None:
        assert totals_after_a_loss(any_server, 10 * KEPT_S) == {"alice": (2, 12)}

    def test_what_was_lost_is_told_again_once(self, any_server: Server) -> None:
        with told_through(any_server, {}) as host:
            host.flush([make_lease(id="a")])
            lose_everything(any_server)
            host.flush([make_lease(id="b")])
            with RedisGate(any_server, {}, keys.META.encode()) as gate:
                session = host._session
                with closing(opened(gate.url, session=session)) as again:
                    again.flush([make_lease(id="c")])
                assert gate.count == 1

    def test_what_was_lost_once_and_not_told_again_yet_is_not_forgotten_over_a_second_loss(
        self, any_server: Server
    ) -> None:
        session, now = Session(), [0.0]
        session.sent = Sent(lambda: now[0])
        lose = partial(lose_everything, any_server)
        with told_through(any_server, {5: any_server.kill}, session) as host:
            host.flush([finish(make_lease(id="a", fuel=5))])
            lose()
            now[0] = 10 * KEPT_S
            with pytest.raises(LedgerUnavailable):
                host.flush([make_lease(id="b", fuel=7)])
        any_server.start()
        with closing(opened(any_server.url, session=session)) as host:
            host.flush([make_lease(id="c", fuel=9)])
            assert totals(host) == {"alice": (3, 21)}

    def test_what_the_server_may_have_forgotten_by_itself_is_not_told_again(
        self, any_server: Server
    ) -> None:
        assert totals_after_a_loss(any_server, keys.FORGET_AFTER_S + 1) == {"alice": (1, 7)}

    def test_what_is_lost_while_it_is_told_again_is_told_by_the_next_flush(
        self, any_server: Server
    ) -> None:
        # Three questions tell of these, two of a lease, and two of all again.
        many = [make_lease(id=f"l{n}", fuel=1) for n in range(LEASES_AT_ONCE + 1)]
        lose = partial(lose_everything, any_server)
        with told_through(any_server, {4: lose, 7: lose}) as host:
            host.flush(many)
            host.flush([make_lease(id="one", fuel=1)])
            host.flush([make_lease(id="two", fuel=1)])
        with closing(opened(any_server.url)) as store:
            assert totals(store) == {"alice": (LEASES_AT_ONCE + 3, LEASES_AT_ONCE + 3)}

    def test_a_server_that_went_back_is_brought_up_to_date(
        self, any_server: Server, store: RedisLedgerStore
    ) -> None:
        store.flush([make_lease(fuel=5)])
        with closing(any_server.client()) as client:
            before = {key: client.dump(key) for key in client.scan_iter()}
            store.flush([make_lease(fuel=50), finish(make_lease(id="b", fuel=7))])
            client.flushall()
            for key, dump in before.items():
                client.restore(key, 0, dump)
        store.flush([make_lease(id="c", fuel=1)])
        assert totals(store) == {"alice": (3, 58)}


class TestBounds:
    def test_too_many_lost_leases_join_the_finished(
        self, any_server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keys, "LOST_LEASES", 3)
        with closing(opened(any_server.url, NOW)) as gone:
            gone.flush(make_lease(id=f"l{n}") for n in range(8))
        with closing(opened(any_server.url, NOW + 600)) as store:
            store.flush([make_lease(id="new")])
            assert len(store.running()) == 3 + 1
            assert {lease.state for lease in store.history()} == {"lost"}
            assert len(store.history()) == 8

    def test_sessions_that_are_silent_for_long_are_forgotten(self, any_server: Server) -> None:
        for number in range(5):
            with closing(opened(any_server.url, NOW + number * 2000)) as store:
                store.flush([finish(make_lease(id=f"l{number}"))])
        with closing(any_server.client()) as client:
            assert client.zcard(keys.SESSIONS) == client.hlen(keys.SEQUENCES) == 2

    def test_all_keys_are_in_one_slot(self, any_server: Server, store: RedisLedgerStore) -> None:
        store.flush([make_lease(), finish(make_lease(id="b"))])
        with closing(any_server.client()) as client:
            assert {key.split(b"}")[0] for key in client.scan_iter()} == {b"{atectl-ledger"}

    def test_the_sums_of_a_day_are_gone_after_four_hundred(self, any_server: Server) -> None:
        with closing(opened(any_server.url, NOW + 1)) as store:
            store.flush([make_lease()])
        [day] = keys.day_keys(int(NOW // 86_400), int(NOW // 86_400))
        with closing(any_server.client()) as client:
            assert 399 * 86_400 < client.ttl(day) <= 400 * 86_400


class TestHistory:
    """A lease is listed once, whatever happens while the list is read."""

    @pytest.fixture
    def other(self, any_server: Server) -> Iterator[RedisLedgerStore]:
        with closing(opened(any_server.url)) as store:
            store.flush(finish(make_lease(id=f"l{n}")) for n in range(4))
            yield store

    def test_though_more_end(
        self, any_server: Server, other: RedisLedgerStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_PAGE", 2)
        more = partial(other.flush, [finish(make_lease(id="new"))])
        with (
            RedisGate(any_server, {2: more}, b"ZREVRANGE") as gate,
            closing(opened(gate.url)) as store,
        ):
            assert [lease.id for lease in store.history()] == ["l3", "l2", "l1", "l0"]

    def test_though_it_was_lost_and_joins_the_finished(
        self, any_server: Server, other: RedisLedgerStore
    ) -> None:
        with closing(opened(any_server.url, NOW - 60)) as gone:
            gone.flush([make_lease(id="lost")])
        end = partial(other.flush, [finish(make_lease(id="lost"))])
        with (
            RedisGate(any_server, {1: end}, b"ZREVRANGE") as gate,
            closing(opened(gate.url)) as store,
        ):
            assert [lease.id for lease in store.history()].count("lost") == 1


class TestForeign:
    """Whatever is no ledger is named, and stays as it is."""

    @pytest.mark.parametrize("key", [*keys.FOR_FLUSH, *keys.day_keys(19675, 19675)])
    def test_a_key_of_another_type_is_named_before_anything_is_written(
        self, any_server: Server, store: RedisLedgerStore, key: str
    ) -> None:
        with closing(any_server.client()) as client:
            client.set(key, "mine")
            with pytest.raises(LedgerCorrupt, match=re.escape(key)):
                store.flush([make_lease()])
            assert (client.get(key), client.dbsize()) == (b"mine", 1)

    def test_a_schema_of_a_later_atectl(self, any_server: Server, store: RedisLedgerStore) -> None:
        with closing(any_server.client()) as client:
            client.hset(keys.META, "schema", 99)
            for use in (store.accounts, store.running, store.history, store.reset):
                with pytest.raises(LedgerTooNew, match="schema version 99"):
                    use()
            with pytest.raises(LedgerTooNew, match="schema version 99"):
                store.flush([make_lease()])
            assert client.keys() == [keys.META.encode()]

    @pytest.mark.parametrize("key", [keys.RUNNING, keys.ACCOUNTS])
    def test_a_record_that_nobody_of_ours_wrote(
        self, any_server: Server, store: RedisLedgerStore, key: str
    ) -> None:
        with closing(any_server.client()) as client:
            client.hset(key, "x", "y")
        with pytest.raises(LedgerCorrupt, match="is damaged"):
            store.accounts()


DAY = keys.day_keys(int(NOW // 86_400), int(NOW // 86_400))[0]


class TestDamaged:
    """What is damaged of a ledger costs itself alone: all else that a host tells is counted."""

    @pytest.fixture
    def client(self, any_server: Server, store: RedisLedgerStore) -> Iterator[Client]:
        """A server with a ledger of alice, whose lease `a` runs, and of bob."""
        store.flush(
            [make_lease(id="a", fuel=5), finish(make_lease(id="b", principal="bob", fuel=1))]
        )
        with closing(any_server.client()) as client:
            yield client

    @pytest.mark.parametrize("text", ["", "short", "7" * 111])
    def test_an_account_stays_as_it_is_and_is_told_until_it_is_reset(
        self, client: Client, store: RedisLedgerStore, text: str
    ) -> None:
        client.hset(keys.ACCOUNTS, "alice", text)
        store.flush([make_lease(id="a", fuel=9), make_lease(id="c", principal="carol", fuel=3)])
        with pytest.raises(LedgerCorrupt, match="the account of 'alice'"):
            store.accounts()
        store.reset("alice")
        store.flush([make_lease(id="a", fuel=10)])
        assert totals(store) == {"carol": (1, 3), "bob": (1, 1), "alice": (1, 1)}

    @pytest.mark.parametrize("key", [keys.RUNNING, keys.FINISHED])
    def test_of_a_lease_nothing_is_known_any_more(
        self, client: Client, store: RedisLedgerStore, key: str
    ) -> None:
        client.hset(key, "c", "short")
        store.flush([make_lease(id="c", principal="carol", fuel=3), make_lease(id="a", fuel=6)])
        assert totals(store) == {"alice": (1, 6), "carol": (1, 3), "bob": (1, 1)}

    def test_a_lease_of_another_size_is_no_obstacle_to_others(
        self, client: Client, store: RedisLedgerStore
    ) -> None:
        client.hset(keys.RUNNING, "a", b"\xff" * 200)
        store.flush([make_lease(id="a"), make_lease(id="c", principal="carol", fuel=3)])
        assert totals(store)["carol"] == (1, 3)

    @pytest.mark.parametrize("key", [keys.RUNNING, keys.FINISHED])
    @pytest.mark.parametrize("text", ["", "short", "7" * 200], ids=len)
    def test_a_lease_that_names_nobody_is_told_until_any_reset(
        self, client: Client, store: RedisLedgerStore, key: str, text: str
    ) -> None:
        client.hset(key, "b", text)
        with pytest.raises(LedgerCorrupt, match="the lease 'b' of "):
            read_all(store)
        assert store.reset("nobody") == 0
        read_all(store)
        assert totals(store) == {"alice": (1, 5), "bob": (1, 1)}

    def test_the_sums_of_a_day_begin_anew(self, client: Client, store: RedisLedgerStore) -> None:
        [sums] = [field for field in client.hkeys(DAY) if field.startswith(b"alice")]
        client.hset(DAY, sums, "short")
        client.hset(DAY, "\0", "many")
        client.hset(DAY, "\0carol", "many")
        store.flush([make_lease(id="a", fuel=6), make_lease(id="c", principal="carol", fuel=3)])
        assert totals(store) == {"alice": (1, 6), "carol": (1, 3), "bob": (1, 1)}
        today = int(NOW // 86_400)
        used = {each.principal: each.fuel for each in store.days(today, today)}
        assert used == {"alice": 1, "carol": 3, "bob": 1}

    def test_the_sums_of_all_time_begin_anew(self, client: Client, store: RedisLedgerStore) -> None:
        for field in client.hkeys(keys.TOTALS):
            client.hset(keys.TOTALS, field, "short")
        store.flush([make_lease(id="a", fuel=6), make_lease(id="c", principal="carol", fuel=3)])
        assert [each.fuel for each in store.totals()] == [1 + 3]

    def test_a_count_of_sums_is_no_obstacle_to_a_reset(
        self, client: Client, store: RedisLedgerStore
    ) -> None:
        client.hset(DAY, "\0", "many")
        assert store.reset("alice") == 1
        assert totals(store) == {"bob": (1, 1)}

    def test_a_lease_of_which_only_the_time_is_left_is_forgotten(
        self, any_server: Server, client: Client
    ) -> None:
        client.hdel(keys.RUNNING, "a")
        with closing(opened(any_server.url, NOW + keys.SILENCE_S + 60)) as store:
            store.flush([make_lease(id="c", principal="carol", fuel=3)])
            store.flush([make_lease(id="c", principal="carol", fuel=4)])
            assert totals(store)["carol"] == (1, 4)
        assert client.zscore(keys.HEARD, "a") is None

    def test_what_was_taken_of_a_session_is_told_again(
        self, client: Client, store: RedisLedgerStore
    ) -> None:
        [session] = client.hkeys(keys.SEQUENCES)
        client.hset(keys.SEQUENCES, session, "x")
        store.flush([make_lease(id="a", fuel=6)])
        assert totals(store) == {"alice": (1, 6), "bob": (1, 1)}

    @pytest.mark.parametrize("field", ["serial", "leases", "ends"])
    def test_a_number_of_the_ledger_itself_is_named_before_anything_is_written(
        self, client: Client, store: RedisLedgerStore, field: str
    ) -> None:
        client.hset(keys.META, field, "x")
        before = totals(store)
        with pytest.raises(LedgerCorrupt, match=field):
            store.flush([make_lease(id="a", fuel=9), make_lease(id="c", principal="carol")])
        assert totals(store) == before

    def test_its_schema_is_named(self, client: Client, store: RedisLedgerStore) -> None:
        client.hset(keys.META, "schema", "x")
        with pytest.raises(LedgerCorrupt, match="the version of the schema"):
            store.flush([make_lease(id="a", fuel=9)])

    def test_what_was_merged_is_not_merged_again(
        self, client: Client, store: RedisLedgerStore
    ) -> None:
        accounts = store.accounts()
        store.merge("other", accounts, [])
        merged = totals(store)
        for name in client.hkeys(keys.MERGED):
            client.hset(keys.MERGED, name, "short")
        store.merge("other", accounts, [])
        assert totals(store) == merged


def test_a_server_that_is_gone_is_unavailable(any_server: Server, store: RedisLedgerStore) -> None:
    any_server.kill()
    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        store.accounts()
    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        store.flush([make_lease()])
