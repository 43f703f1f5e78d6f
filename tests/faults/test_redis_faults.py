"""Every way that Redis can fail becomes an error of ours: in time, on one line, without secrets."""

import inspect
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import redis.exceptions
import redis.sentinel

from atectl import errors
from atectl.config import DEFAULT_REDIS_TIMEOUT_S
from atectl.errors import AtectlError
from atectl.redis import errors as redis_errors
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import RedisFailure
from atectl.redis.faults import translated, translation
from atectl.redis.settings import parse_redis_url
from atectl.redis.slots import slot_of
from tests.support.lua_examples import DELETE_OWN
from tests.support.ports import free_port
from tests.support.redis_servers import (
    AclServer,
    Cluster,
    SentinelGroup,
    Server,
    TlsServer,
)
from tests.support.waiting import SOON_S, wait_until

SECRET = "s3cret/pass@word"
ADDRESS = "redis.example:6379"


def connected(url: str, **options: Any) -> RedisConnection:
    return connect(parse_redis_url(url)._replace(**options))


def owner_of(cluster: Cluster, connection: RedisConnection, key: bytes) -> Server:
    """The node that has the slot of a key."""
    found = connection.server_of(key)
    assert found is not None
    return next(server for server in cluster.servers if server.port == found.address.port)


@contextmanager
def raises_within(seconds: float, expected: type[AtectlError]) -> Iterator[None]:
    """`expected` is raised, and not much later than `seconds`: before the usual timeout."""
    begun = time.monotonic()
    with pytest.raises(expected):
        yield
    assert time.monotonic() - begun < seconds + 0.9 * DEFAULT_REDIS_TIMEOUT_S


FOREIGN_CLASSES = [
    cls
    for module in (redis.exceptions, redis.sentinel)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, Exception)
]

NOT_SAID_BY_THE_SERVER = [
    cls for cls in FOREIGN_CLASSES if not issubclass(cls, redis.exceptions.ResponseError)
]

SYSTEM_FAULTS = [
    ConnectionRefusedError(111, "Connection refused"),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
    OSError(113, "No route to host"),
    socket.gaierror(-2, "Name or service not known"),
    TimeoutError("timed out"),
    ssl.SSLError(1, "something about TLS"),
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
]


def _instance(cls: type[Exception], words: str) -> Exception:
    is_redirection = issubclass(cls, redis.exceptions.AskError)
    return cls("1234 127.0.0.1:7001" if is_redirection else words)


class TestTranslation:
    @pytest.mark.parametrize("cls", FOREIGN_CLASSES, ids=lambda cls: cls.__name__)
    def test_knows_every_exception_of_redis_py(self, cls: type[Exception]) -> None:
        with pytest.raises(RedisFailure, match=ADDRESS), translated(ADDRESS):
            raise _instance(cls, "something")

    @pytest.mark.parametrize("fault", SYSTEM_FAULTS, ids=lambda fault: type(fault).__name__)
    def test_knows_those_of_the_system_and_of_tls(self, fault: Exception) -> None:
        with pytest.raises(RedisFailure, match=ADDRESS), translated(ADDRESS):
            raise fault

    def test_has_all_of_redis_py_s_in_view(self) -> None:
        assert len(FOREIGN_CLASSES) > 30

    def test_leaves_errors_of_ours_and_of_python_alone(self) -> None:
        with pytest.raises(errors.BadSize), translated(ADDRESS):
            raise errors.BadSize("no size")
        with pytest.raises(KeyError), translated(ADDRESS):
            raise KeyError("key")

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("WRONGTYPE Operation against a key", redis_errors.RedisWrongType),
            ("MISCONF Redis is configured to save", redis_errors.RedisReadOnly),
            ("NOREPLICAS Not enough good replicas", redis_errors.RedisReadOnly),
            ("READONLY You can't write against a read only replica.", redis_errors.RedisReadOnly),
            ("LOADING Redis is loading the dataset in memory", redis_errors.RedisBusy),
            ("OOM command not allowed", redis_errors.RedisOutOfMemory),
            ("NOPERM User x has no permissions to run 'get'", redis_errors.RedisPermissionDenied),
            (
                "ERR The user executing the script can't run this command",
                redis_errors.RedisPermissionDenied,
            ),
            ("NOAUTH Authentication required.", redis_errors.RedisLoginRefused),
            ("WRONGPASS invalid username-password pair", redis_errors.RedisLoginRefused),
            ("MOVED 3999 127.0.0.1:6381", redis_errors.RedisClusterDown),
            ("ASK 3999 127.0.0.1:6381", redis_errors.RedisSlotMoving),
            ("TRYAGAIN Multiple keys request during rehashing", redis_errors.RedisSlotMoving),
            ("CLUSTERDOWN The cluster is down", redis_errors.RedisClusterDown),
            ("MASTERDOWN Link with MASTER is down", redis_errors.RedisClusterDown),
            ("NOSCRIPT No matching script", redis_errors.RedisRefused),
            ("ERR max number of clients reached", redis_errors.RedisUnreachable),
            ("BUSY Redis is busy running a script", redis_errors.RedisBusy),
        ],
    )
    def test_goes_by_what_the_server_says(self, words: str, expected: type[RedisFailure]) -> None:
        from redis.connection import Connection

        fault = Connection()._parser.parse_error(words)  # type: ignore[no-untyped-call]
        assert type(translation(fault, ADDRESS)) is expected

    def test_sees_a_wrong_type_behind_a_pipeline_s_words(self) -> None:
        words = "Command # 1 (GET key) of pipeline caused error: WRONGTYPE Operation against"
        fault = redis.exceptions.ResponseError(words)
        assert type(translation(fault, ADDRESS)) is redis_errors.RedisWrongType

    def test_finds_tls_behind_a_broken_connection(self) -> None:
        fault = redis.exceptions.ConnectionError("Error 1 connecting")
        fault.__context__ = ssl.SSLError(1, "no")
        assert type(translation(fault, ADDRESS)) is redis_errors.RedisTlsFailed

    def test_finds_what_a_cluster_client_hides(self) -> None:
        fault = redis.exceptions.RedisClusterException("cannot be connected")
        fault.__cause__ = redis.exceptions.NoPermissionError("no permissions to run 'cluster'")
        assert type(translation(fault, ADDRESS)) is redis_errors.RedisPermissionDenied

    def test_repeats_no_arguments_of_a_command_that_is_unknown(self) -> None:
        words = f"unknown command 'AUTH', with args beginning with: '{SECRET}'"
        assert SECRET not in str(translation(redis.exceptions.ResponseError(words), ADDRESS))

    @pytest.mark.parametrize("cls", NOT_SAID_BY_THE_SERVER, ids=lambda cls: cls.__name__)
    def test_repeats_nothing_that_redis_py_says(self, cls: type[Exception]) -> None:
        error = translation(_instance(cls, f"redis://user:{SECRET}@host"), ADDRESS)
        assert SECRET not in f"{error} {error.remedy}"


class TestTime:
    def test_a_port_where_nobody_listens_is_told_at_once(self) -> None:
        port = free_port()
        with pytest.raises(redis_errors.RedisUnreachable, match=f"127.0.0.1:{port} .*refused"):
            connected(f"redis://127.0.0.1:{port}", timeout_s=30)

    def test_a_host_that_does_not_exist_is_told(self) -> None:
        with pytest.raises(redis_errors.RedisUnreachable):
            connected("redis://host.invalid", timeout_s=60, retries=0)

    def test_a_host_that_answers_no_packet_is_given_up_in_time(self) -> None:
        # A listener whose queue is full drops what comes.
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for client in (first, second):
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            with raises_within(0.5, redis_errors.RedisTimeout):
                connected(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.5)

    def test_a_name_server_that_hangs_is_given_up_in_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.wait())
        with raises_within(0.3, redis_errors.RedisTimeout):
            connected("redis://redis.example", timeout_s=0.3)
        answers.set()

    def test_a_connection_that_comes_too_late_is_closed(
        self, valkey: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up, answers, closed = socket.getaddrinfo, threading.Event(), threading.Event()

        def slow_look_up(*words: Any, **options: Any) -> Any:
            answers.wait()
            return look_up(*words, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
        monkeypatch.setattr(RedisConnection, "close", lambda self: closed.set())
        with raises_within(0.2, redis_errors.RedisTimeout):
            connected(valkey.url, timeout_s=0.2)
        answers.set()
        assert closed.wait(SOON_S)

    def test_a_suspended_server_is_given_up_in_time(self, any_server: Server) -> None:
        any_server.stop()
        with raises_within(0.5, redis_errors.RedisTimeout):
            connected(any_server.url, timeout_s=0.5)

    def test_a_server_suspended_later_is_given_up_in_time(self, any_server: Server) -> None:
        with connected(any_server.url, timeout_s=0.5) as connection:
            connection.client.ping()
            any_server.stop()
            with raises_within(0.5, redis_errors.RedisTimeout), connection.translated():
                connection.client.get("key")
            with raises_within(0.5, redis_errors.RedisTimeout):
                connection.script(DELETE_OWN)(["key"], ["own"])

    def test_a_suspended_node_of_a_cluster_is_given_up_in_time(self, cluster: Cluster) -> None:
        cluster.servers[0].stop()
        with raises_within(0.5, redis_errors.RedisTimeout):
            connected(cluster.url, timeout_s=0.5)

    def test_a_node_suspended_later_is_given_up_in_time(self, cluster: Cluster) -> None:
        with connected(cluster.url, timeout_s=0.5) as connection:
            stopped = owner_of(cluster, connection, b"key")
            stopped.stop()
            with raises_within(0.5, redis_errors.RedisTimeout), connection.translated():
                connection.client.get("key")

    def test_tls_to_a_server_without_it_is_given_up_in_time(self, valkey: Server) -> None:
        with raises_within(0.5, redis_errors.RedisTimeout):
            connected(valkey.url.replace("redis:", "rediss:"), timeout_s=0.5)


class TestRefusals:
    def test_a_server_of_another_kind(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            with pytest.raises(redis_errors.RedisRefused, match="not Redis protocol"):
                connected(f"redis://127.0.0.1:{listener.getsockname()[1]}")
            thread.join()

    def test_a_permission_names_its_command(self, acl_server: AclServer) -> None:
        with (
            connected(acl_server.url_for("viewer")) as connection,
            pytest.raises(redis_errors.RedisPermissionDenied, match="'set'"),
            connection.translated(),
        ):
            connection.client.set("key", "value")

    def test_a_permission_is_missed_within_a_script(self, acl_server: AclServer) -> None:
        with (
            connected(acl_server.url_for("viewer")) as connection,
            pytest.raises(redis_errors.RedisPermissionDenied),
        ):
            connection.script(DELETE_OWN)(["key"], ["own"])

    def test_a_value_of_another_type(self, any_server: Server) -> None:
        with connected(any_server.url) as connection:
            connection.client.rpush("key", "own")
            with pytest.raises(redis_errors.RedisWrongType), connection.translated():
                connection.client.get("key")
            with pytest.raises(redis_errors.RedisWrongType):
                connection.script(DELETE_OWN)(["key"], ["own"])

    def test_a_server_without_memory(self, any_server: Server) -> None:
        with connected(any_server.url) as connection:
            connection.client.config_set("maxmemory", 1)
            with pytest.raises(redis_errors.RedisOutOfMemory), connection.translated():
                connection.client.set("key", "value")

    def test_a_server_that_takes_no_more_clients(self, valkey: Server) -> None:
        with closing(valkey.client()) as client:
            client.config_set("maxclients", 1)
            with pytest.raises(redis_errors.RedisUnreachable, match="no more clients") as raised:
                connected(valkey.url)
        assert "maxclients" in raised.value.remedy

    def test_a_slot_that_nobody_serves(self, cluster: Cluster) -> None:
        with connected(cluster.url, retries=1) as connection:
            client, slot = connection.client, slot_of(b"key")
            owner = owner_of(cluster, connection, b"key")
            with closing(owner.client()) as direct:
                direct.execute_command("CLUSTER DELSLOTS", slot)
                try:
                    with (
                        pytest.raises(redis_errors.RedisClusterDown),
                        connection.translated(),
                    ):
                        client.get("key")
                finally:
                    direct.execute_command("CLUSTER ADDSLOTS", slot)

    def test_sentinels_whose_master_is_gone(self, sentinel: SentinelGroup) -> None:
        sentinel.replica.kill()
        sentinel.master.kill()
        with closing(sentinel.sentinels[0].client()) as client:
            wait_until(lambda: "down" in client.sentinel_master(sentinel.master_name)["flags"])
        with pytest.raises(redis_errors.RedisUnreachable):
            connected(sentinel.url)


class TestSecrets:
    """No password, as typed or as quoted, in what an operator or a log gets to see."""

    def test_a_wrong_password(self, acl_server: AclServer) -> None:
        for user in AclServer.passwords:
            self.assert_not_told(acl_server.url_for(user, SECRET))

    def test_a_password_where_none_is_wanted(self, valkey: Server) -> None:
        self.assert_not_told(f"redis://:{quote(SECRET, safe='')}@{valkey.address}")

    def test_a_server_that_is_not_there(self) -> None:
        url = f"redis://operator:{quote(SECRET, safe='')}@127.0.0.1:{free_port()}"
        self.assert_not_told(url)

    def test_a_suspended_server(self, acl_server: AclServer) -> None:
        acl_server.stop()
        self.assert_not_told(acl_server.url_for("admin", SECRET), timeout_s=0.3)

    def test_a_server_that_refuses_tls(self, tls_server: TlsServer) -> None:
        self.assert_not_told(f"rediss://:{quote(SECRET, safe='')}@{tls_server.address}")

    def assert_not_told(self, url: str, **options: Any) -> None:
        with pytest.raises(AtectlError) as caught:
            connected(url, **options)
        told = f"{caught.value} {caught.value.remedy} {caught.value!r}"
        assert SECRET not in told
        assert quote(SECRET, safe="") not in told
