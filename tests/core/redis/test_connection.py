"""Finding out what answers, and commands and scripts on one server, a cluster, Sentinels, TLS."""

import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from atectl.redis.client import BACKOFF_BASE_S, BACKOFF_CAP_S, pause_s
from atectl.redis.connection import RedisConnection, connect
from atectl.redis.errors import (
    BadRedisFile,
    BadRedisUrl,
    RedisBusy,
    RedisReadOnly,
    RedisTlsFailed,
    RedisUnreachable,
)
from atectl.redis.settings import RedisSettings, parse_redis_url
from tests.support.lua_examples import DELETE_OWN
from tests.support.redis_servers import (
    REDIS_7,
    AclServer,
    Cluster,
    SentinelGroup,
    Server,
    TlsServer,
)
from tests.support.waiting import wait_until

KEY = "staging:web"


def connected(url: str, **options: Any) -> RedisConnection:
    return connect(parse_redis_url(url)._replace(**options))


def tls_options(server: TlsServer) -> dict[str, str]:
    return {
        "ca_file": str(server.ca_file),
        "cert_file": str(server.client_pem),
        "server_name": server.server_name,
    }


class TestOneServer:
    def test_is_told_from_the_others(self, any_server: Server) -> None:
        with connected(any_server.url) as connection:
            assert connection.kind == "single"
            assert not connection.is_replica
            assert connection.address == any_server.address

    def test_takes_commands_and_answers_in_bytes(self, any_server: Server) -> None:
        with connected(any_server.url) as connection:
            connection.client.set("key", "value")
            assert connection.client.get("key") == b"value"

    def test_is_reached_through_its_socket(self, any_server: Server) -> None:
        with connected(any_server.unix_url) as connection:
            assert connection.client.ping()
            assert connection.address == str(any_server.socket_path)

    def test_has_the_database_that_was_named(self, valkey: Server) -> None:
        with connected(f"{valkey.url}/3") as connection:
            connection.client.set("key", "value")
        with closing(valkey.client(db=3)) as client:
            assert client.get("key") == b"value"

    def test_is_its_only_primary(self, valkey: Server) -> None:
        with connected(valkey.url) as connection:
            [server] = connection.primaries()
            assert str(server.address) == valkey.address

    def test_is_seen_to_be_a_replica(self, calm_sentinel: SentinelGroup) -> None:
        with connected(calm_sentinel.replica.url) as connection:
            assert connection.is_replica
            with pytest.raises(RedisReadOnly), connection.translated():
                connection.client.set("key", "value")

    @pytest.mark.parametrize("user", list(AclServer.passwords))
    def test_takes_the_login_in_the_url(self, acl_server: AclServer, user: str) -> None:
        with connected(acl_server.url_for(user)) as connection:
            assert connection.kind == "single"

    def test_is_no_sentinel(self, valkey: Server) -> None:
        with pytest.raises(BadRedisUrl, match="no Sentinel"):
            connected(f"{valkey.url}?master=mymaster")

    def test_comes_back_after_a_restart(self, valkey: Server) -> None:
        with connected(valkey.url) as connection:
            connection.client.set("key", "value")
            valkey.restart(keep_data=True)
            assert connection.client.get("key") == b"value"

    def test_is_asked_again_while_it_loads(self) -> None:
        with slow_loader() as server, loading(server):
            with (
                connected(server.url, retries=0) as connection,
                pytest.raises(RedisBusy),
                connection.translated(),
            ):
                connection.client.get("key")
            with connected(server.url, retries=100) as connection:
                assert connection.client.get("key") == b"value"


def slow_loader() -> Server:
    """A server that answers while it loads."""
    return Server("enable-debug-command yes", "loading-process-events-interval-bytes 1024")


@contextmanager
def loading(server: Server) -> Iterator[None]:
    """The server loads for a second or so."""
    with closing(server.client()) as client, closing(server.client()) as other:
        for number in range(50):
            client.set(f"key-{number}", random.randbytes(4096))
        client.set("key", "value")
        client.config_set("key-load-delay", 20_000)
        reload = threading.Thread(target=client.execute_command, args=["DEBUG RELOAD"])
        reload.start()
        wait_until(lambda: other.info("persistence")["loading"] == 1)
        yield
        reload.join()


class TestCluster:
    def test_is_found_through_one_of_its_nodes(self, cluster: Cluster) -> None:
        for server in cluster.servers:
            with connected(server.url) as connection:
                assert connection.kind == "cluster"

    def test_takes_keys_of_every_slot(self, cluster: Cluster) -> None:
        with connected(cluster.url) as connection:
            for number in range(30):
                connection.client.set(f"key-{number}", number)
        sizes = []
        for client in cluster.clients():
            with closing(client):
                sizes.append(client.dbsize())
        assert sum(sizes) == 30
        assert all(sizes)

    def test_has_a_client_for_every_primary(self, cluster: Cluster) -> None:
        with connected(cluster.url) as connection:
            for number in range(30):
                connection.client.set(f"key-{number}", number)
            found = [key for server in connection.primaries() for key in server.client.scan_iter()]
        assert sorted(found) == sorted(f"key-{number}".encode() for number in range(30))

    def test_runs_a_script_on_the_node_of_its_keys(self, cluster: Cluster) -> None:
        with connected(cluster.url) as connection:
            delete_own = connection.script(DELETE_OWN)
            for number in range(30):
                key = f"key-{number}"
                connection.client.set(key, "own")
                assert delete_own([key], ["own"]) == 1

    def test_has_no_other_database(self, cluster: Cluster) -> None:
        with pytest.raises(BadRedisUrl, match="no database 2"):
            connected(f"{cluster.url}/2")

    def test_is_not_reached_through_a_socket(self, cluster: Cluster) -> None:
        with pytest.raises(BadRedisUrl, match="cluster"):
            connected(cluster.servers[0].unix_url)


class TestSentinels:
    def test_lead_to_their_only_master(self, calm_sentinel: SentinelGroup) -> None:
        with connected(calm_sentinel.url) as connection:
            assert connection.kind == "sentinel"
            connection.client.set("key", "value")
        with closing(calm_sentinel.master.client()) as client:
            assert client.get("key") == b"value"

    def test_lead_to_the_master_of_that_name_or_to_none(self, calm_sentinel: SentinelGroup) -> None:
        with connected(f"{calm_sentinel.url}?master=mymaster") as connection:
            assert connection.client.ping()
        with pytest.raises(BadRedisUrl, match="did you mean mymaster"):
            connected(f"{calm_sentinel.url}?master=mymastr")

    def test_must_be_told_which_of_several_masters(
        self, calm_sentinel: SentinelGroup, valkey: Server
    ) -> None:
        with closing(calm_sentinel.sentinels[0].client()) as client:
            client.sentinel_monitor("other", valkey.host, valkey.port, 2)
            try:
                with pytest.raises(BadRedisUrl, match="2 masters: mymaster, other"):
                    connected(calm_sentinel.url)
            finally:
                client.sentinel_remove("other")

    def test_lead_to_the_new_master_after_a_failover(self, sentinel: SentinelGroup) -> None:
        with connected(sentinel.url) as connection:
            delete_own = connection.script(DELETE_OWN)
            connection.client.set(KEY, "own")
            with closing(sentinel.master.client()) as client:
                client.wait(1, 5000)
            sentinel.failover()
            # The Sentinel that was asked first is not needed any more.
            sentinel.sentinels[0].kill()
            assert connection.client.get(KEY) == b"own"
            assert delete_own([KEY], ["own"]) == 1

    def test_may_want_no_login_where_their_master_does(self) -> None:
        with SentinelGroup() as group:
            for server in (group.master, group.replica):
                with closing(server.client()) as client:
                    client.config_set("masterauth", "pass-word")
                    client.config_set("requirepass", "pass-word")
            for server in group.sentinels:
                with closing(server.client()) as client:
                    client.sentinel_set("mymaster", "auth-pass", "pass-word")
            with connected(group.url, password="pass-word") as connection:
                assert connection.client.ping()


@pytest.mark.skipif(REDIS_7 is None, reason="redis-server is not installed")
class TestTls:
    def test_with_a_certificate_and_key_in_one_file(self, tls_server: TlsServer) -> None:
        with connected(tls_server.url, **tls_options(tls_server)) as connection:
            assert connection.client.ping()

    def test_with_a_certificate_and_key_apart(self, tls_server: TlsServer) -> None:
        files = {"cert_file": str(tls_server.client_cert), "key_file": str(tls_server.client_key)}
        options = {**tls_options(tls_server), **files}
        with connected(tls_server.url, **options) as connection:
            assert connection.client.ping()

    @pytest.mark.parametrize("name", [None, "other.example"])
    def test_is_refused_to_a_server_of_another_name(
        self, tls_server: TlsServer, name: str | None
    ) -> None:
        with pytest.raises(RedisTlsFailed) as caught:
            connected(tls_server.url, **{**tls_options(tls_server), "server_name": name})
        assert "--redis-server-name" in caught.value.remedy

    def test_is_refused_to_a_server_of_an_unknown_authority(self, tls_server: TlsServer) -> None:
        with pytest.raises(RedisTlsFailed) as caught:
            connected(tls_server.url, **{**tls_options(tls_server), "ca_file": None})
        assert "--redis-ca" in caught.value.remedy

    def test_is_refused_by_a_server_that_wants_a_certificate(self, tls_server: TlsServer) -> None:
        with pytest.raises(RedisTlsFailed) as caught:
            connected(tls_server.url, **{**tls_options(tls_server), "cert_file": None})
        assert "--redis-cert" in caught.value.remedy

    @pytest.mark.parametrize("option", ["ca_file", "cert_file"])
    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_wants_files_that_hold_certificates(
        self, tmp_path: Path, option: str, content: str | None
    ) -> None:
        path = tmp_path / "file.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(BadRedisFile, match=r"file\.pem"):
            connect(RedisSettings(host="127.0.0.1", is_tls=True, **{option: str(path)}))

    def test_asks_nobody_for_the_passphrase_of_a_key(
        self, tls_server: TlsServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "client.pem"
        path.write_bytes(tls_server.client_cert.read_bytes() + _encrypted(tls_server.client_key))
        with pytest.raises(BadRedisFile, match="the client key is encrypted"):
            connected(tls_server.url, **{**tls_options(tls_server), "cert_file": str(path)})

    def test_reaches_every_node_of_a_cluster_by_one_name(self, tls_cluster: Cluster) -> None:
        options = tls_options(tls_cluster.servers[0])  # type: ignore[arg-type]
        with connected(tls_cluster.url, **options) as connection:
            assert [server.client.ping() for server in connection.primaries()] == [True] * 3
        with pytest.raises(RedisTlsFailed):
            connected(tls_cluster.url, **{**options, "server_name": "other.example"})


def _encrypted(key: Path) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    loaded = forms.load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"secret")
    )


@pytest.fixture
def tls_cluster() -> Iterator[Cluster]:
    """Three Redis 7 primaries that announce addresses their certificates do not name."""
    import trustme

    with Cluster(make=partial(TlsServer, ca=trustme.CA())) as servers:
        yield servers


class TestAnotherConnection:
    @pytest.mark.parametrize("place", ["valkey", "cluster", "calm_sentinel"])
    def test_has_sockets_of_its_own(self, request: pytest.FixtureRequest, place: str) -> None:
        with connected(request.getfixturevalue(place).url) as connection:
            other = connection.fresh(timeout_s=1, retries=0)
            connection.close()
            with other:
                assert other.kind == connection.kind
                assert other.settings.timeout_s == 1
                assert other.settings.retries == 0
                assert other.client.set("key", "value")

    def test_may_be_closed_twice(self, valkey: Server) -> None:
        connection = connected(valkey.url)
        connection.close()
        connection.close()

    def test_leaves_no_client_behind_on_the_server(self, valkey: Server) -> None:
        with connected(valkey.url) as connection:
            connection.client.ping()
        with closing(valkey.client()) as client:
            wait_until(lambda: len(client.client_list()) == 1)


class TestPauses:
    def test_are_of_random_length_below_a_bound_that_doubles(self) -> None:
        assert [pause_s(number, 1.0) for number in (0, 1, 2)] == [
            BACKOFF_BASE_S,
            2 * BACKOFF_BASE_S,
            4 * BACKOFF_BASE_S,
        ]
        assert pause_s(1, 0.25) == BACKOFF_BASE_S / 2

    def test_have_a_longest(self) -> None:
        assert pause_s(1000, 1.0) == BACKOFF_CAP_S

    def test_are_those_of_the_source_that_was_injected(self) -> None:
        asked: list[int] = []

        def jitter() -> float:
            asked.append(1)
            return 0.0

        with pytest.raises(RedisUnreachable):
            connect(RedisSettings(host="127.0.0.1", port=1, retries=4), jitter=jitter)
        assert len(asked) == 4
