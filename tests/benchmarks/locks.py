"""Listing a hundred thousand locks, beside a bare pipeline of redis-py that fetches the same."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring import Row, in_turn
from tests.support.redis_servers import Server

MANY, FEW = 100_000, 10_000
RUNS = 3

_BARE = """
import sys
import redis

with redis.Redis.from_url(sys.argv[1]) as client:
    cursor = -1
    while cursor != 0:
        cursor, keys = client.scan(max(cursor, 0), match="lock:actor:*", count=1000)
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
            pipeline.pttl(key)
            pipeline.hgetall(b"{" + key + b"}:holder")
            pipeline.get(key.replace(b"lock:", b"", 1))
        pipeline.execute()
    cursor = -1
    while cursor != 0:
        cursor, keys = client.scan(max(cursor, 0), match="actor:*", count=1000)
"""

_TELLING = """
import sys
from pathlib import Path
from atectl.commands.main import dispatch

status = dispatch(sys.argv[1:])
for line in Path("/proc/self/status").read_text().splitlines():
    if line.startswith("VmHWM:"):
        print(line, file=sys.stderr)
sys.exit(status)
"""

_RECORD = (
    '{"actorId":"a%d","version":"4","actorTemplateNamespace":"templates",'
    '"actorTemplateName":"python","status":"STATUS_RESUMING","ateomPodNamespace":"ate-demo",'
    '"ateomPodName":"pool-a-%d","ateomPodIp":"10.0.0.7","ateomPodUid":"0b8f4c1e-%d",'
    '"workerPoolName":"pool-a","atespace":"demo"}'
)


def listing(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """`locks ls -o json` on a Valkey with as many actor records as locks."""
    with Server() as server:
        _fill(server, FEW)
        few_bytes = _peak_resident_bytes(atectl, environment, server)
        _fill(server, MANY)
        many_bytes = _peak_resident_bytes(atectl, environment, server)
        ours, bare = in_turn(
            [
                [atectl, *_listing_of(server)],
                [sys.executable, "-c", _BARE, server.url],
            ],
            environment,
            RUNS,
        )
    return [
        Row(
            "100,000 locks: wall, `locks ls -o json` / redis-py",
            ours.wall_s / bare.wall_s,
            "×",
            2,
            f"{ours.wall_s:.1f} s / {bare.wall_s:.1f} s",
        ),
        Row(
            "peak resident, more at 100,000 locks than at 10,000",
            (many_bytes - few_bytes) / (MANY - FEW),
            " B a lock",
            300,
            f"{many_bytes >> 20} MiB / {few_bytes >> 20} MiB",
        ),
    ]


def start_up(atectl: str, environment: Mapping[str, str]) -> list[Row]:
    """`locks ls -o json` where there is nothing to list."""
    with Server() as server:
        [empty] = in_turn([[atectl, *_listing_of(server)]], environment, 11)
    return [Row("`locks ls -o json`, no locks", empty.wall_s * 1000, " ms", None, "redis-py alone")]


def _listing_of(server: Server) -> list[str]:
    return ["locks", "ls", "-o", "json", "--redis", server.url]


def _peak_resident_bytes(atectl: str, environment: Mapping[str, str], server: Server) -> int:
    """The high-water mark as the process itself tells it.

    What the system tells of a child counts its parent's size too, which is larger.
    """
    python = str(Path(atectl).with_name("python"))
    ran = subprocess.run(
        [python, "-I", "-c", _TELLING, *_listing_of(server)],
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(ran.stderr.split()[-2]) * 1024


def _fill(server: Server, locks: int) -> None:
    with server.client() as client:
        client.flushall()
        for start in range(0, locks, 1000):
            pipeline = client.pipeline(transaction=False)
            for number in range(start, start + 1000):
                token = f"{number:08x}-1111-4222-8333-{os.getpid():012x}"
                pipeline.set(f"lock:actor:demo:a{number}", token, px=3_600_000)
                pipeline.set(f"actor:demo:a{number}", _RECORD % (number, number, number))
            pipeline.execute()
