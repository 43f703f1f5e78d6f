"""A batch on hosts, drawn: how far it is, and a row for each host."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from atectl.batch.fleet.submitting import HostRow
from atectl.units import counted, format_duration

from ..drawing.columns import Column, fit
from ..drawing.tones import ALARM, HEADING, WARNING
from .hosts_look import HostsLook


@dataclass(frozen=True)
class HostsScreen:
    """The batch in at most `height` lines. Where they are few, the last hosts are left out."""

    look: HostsLook
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        hosts = self.look.overview.hosts
        lines = [_progress(self.look)]
        if not hosts:
            lines.append(Text("no host is there", style=HEADING))
        elif self.height > 2:
            fitted = fit(_COLUMNS, hosts, options.max_width)
            room = self.height - 2
            shown = hosts if len(hosts) <= room else hosts[: room - 1]
            lines += [fitted.header(), *map(fitted.line, shown)]
            if len(shown) < len(hosts):
                lines.append(Text(f"and {counted(len(hosts) - len(shown), 'more host')}"))
        for line in lines[: max(self.height, 0)]:
            line.no_wrap = True
            line.truncate(options.max_width, overflow="ellipsis")
            yield line


def _progress(look: HostsLook) -> Text:
    finished = look.done + look.failed
    rate = finished / look.elapsed_s if look.elapsed_s > 0 else 0.0
    left = "more to come" if look.left is None else f"{look.left} left"
    line = Text.assemble(
        f"jobs  {look.done} done, ",
        (f"{look.failed} failed", ALARM if look.failed else ""),
        f", {left}, {look.overview.waiting} to be sent, {rate:.0f}/s, ",
        format_duration(look.elapsed_s),
    )
    if look.is_stopping:
        line.append("  ").append("stopping", WARNING)
    return line


def _running(host: HostRow) -> int:
    """How many jobs it runs, as far as that is known here: as many as it can."""
    return min(host.out, host.slots)


def _state(host: HostRow) -> Text:
    if host.is_draining:
        return Text("draining", style=WARNING)
    return Text("busy" if host.out else "idle")


_COLUMNS: tuple[Column[HostRow], ...] = (
    Column("host", "HOST", lambda x: x.name, 12, 0, grows=True, is_name=True),
    Column("state", "STATE", _state, 8, 3),
    Column("running", "RUNNING", lambda x: str(_running(x)), 7, 1, is_right=True),
    Column("slots", "SLOTS", lambda x: str(x.slots), 5, 5, is_right=True),
    Column("waiting", "WAITING", lambda x: str(x.out - _running(x)), 7, 4, is_right=True),
    Column("ended", "ENDED", lambda x: str(x.ended), 7, 2, is_right=True),
)
