"""The hosts of a fleet as a table."""

from rich.console import Group, RenderableType
from rich.text import Text

from atectl.batch.fleet.facts import HostEntry, HostList
from atectl.units import counted, format_age, show_size

from ..drawing.columns import Column, LineTable
from ..drawing.tones import ALARM, WARNING


def hosts_view(found: HostList) -> RenderableType:
    """A row for each host, and how many there are."""
    if not found.hosts:
        return Text("no host has joined")
    jobs = sum(host.running for host in found.hosts)
    told = f"{counted(len(found.hosts), 'host')}, {counted(jobs, 'job')} running"
    return Group(LineTable(_COLUMNS, found.hosts, tells_hidden=True), Text(), Text(told))


def _pressure(host: HostEntry) -> Text:
    share = host.pressure_bytes / host.limit_bytes if host.limit_bytes else 0.0
    told = f"{show_size(host.pressure_bytes)} of {show_size(host.limit_bytes)}"
    return Text(told, style=ALARM if share > 1 else WARNING if share > 0.8 else "")


def _heard(host: HostEntry) -> str:
    return f"{format_age(host.silent_s)} ago"


_COLUMNS = [
    Column[HostEntry]("host", "HOST", lambda x: x.host, 10, 0, grows=True, is_name=True),
    Column[HostEntry]("running", "RUNNING", lambda x: str(x.running), 7, 1, is_right=True),
    Column[HostEntry]("jobs", "JOBS", lambda x: str(x.jobs), 4, 4, is_right=True),
    Column[HostEntry]("waiting", "WAITING", lambda x: str(x.waiting), 7, 5, is_right=True),
    Column[HostEntry]("pressure", "PRESSURE", _pressure, 20, 2, is_right=True),
    Column[HostEntry](
        "spilled", "SPILLED", lambda x: show_size(x.spilled_bytes), 8, 3, is_right=True
    ),
    Column[HostEntry]("ended", "ENDED", lambda x: str(x.ended), 7, 7, is_right=True),
    Column[HostEntry]("shares", "SHARES", lambda x: ",".join(x.shares) or "-", 8, 8, grows=True),
    Column[HostEntry]("heard", "HEARD OF", _heard, 9, 6, is_right=True),
    Column[HostEntry]("state", "STATE", lambda x: "draining" if x.is_draining else "ready", 8, 9),
]
