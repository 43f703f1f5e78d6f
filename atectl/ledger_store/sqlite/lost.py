"""Which unfinished leases of a stored ledger are lost: those of processes that have ended.

A process is known by its pid and identity only on its own machine. Whether it is of this machine is
told by the name of its host, or by its boot: a host may go by another name in the ledger
(`--host-name`), so the file notes the boots of each machine that writes it.
"""

import sqlite3  # noqa: TID253
from collections.abc import Callable

from atectl.system import processes

_MOST_BOOTS = 1_000


class LostLeases:
    """Judges the leases of a ledger by their processes. A judgement is kept until `look_anew`.

    Args:
        connection: to the ledger.
        machine: the name of this machine.
        is_gone: whether the process with this pid and identity has ended for certain.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        machine: str,
        is_gone: Callable[[int, str], bool],
    ) -> None:
        self._connection = connection
        self._machine = machine
        self._is_gone = is_gone
        self._has_noted = False
        self._judged: dict[tuple[int, str], bool] = {}
        self._boots: frozenset[str] | None = None
        connection.create_function("is_lost", 3, self._is_lost)

    def look_anew(self) -> None:
        """Forget what was judged: processes may have ended since."""
        self._judged.clear()
        self._boots = None

    def note_boot(self) -> None:
        """Note that this boot is one of this machine; once, whatever is flushed or fails then."""
        boot = processes.own_boot()
        if self._has_noted or boot is None:
            return
        execute = self._connection.execute
        execute("INSERT OR IGNORE INTO boots (id, machine) VALUES (?, ?)", (boot, self._machine))
        execute(
            "DELETE FROM boots WHERE serial <= (SELECT max(serial) FROM boots) - ?", (_MOST_BOOTS,)
        )
        self._has_noted = True

    def _is_lost(self, host: object, pid: object, process: object) -> bool:
        if not (isinstance(host, str) and isinstance(pid, int) and isinstance(process, str)):
            return True  # of a damaged one nobody can tell who would tell of it again
        if host != self._machine and not self._is_of_this_machine(process):
            return False
        key = pid, process
        if key not in self._judged:
            self._judged[key] = self._is_gone(pid, process)
        return self._judged[key]

    def _is_of_this_machine(self, process: str) -> bool:
        boot = processes.boot_of(process)
        if not boot:
            return False
        if self._boots is None:
            told = self._connection.execute(
                "SELECT id FROM boots WHERE machine = ?", (self._machine,)
            )
            self._boots = frozenset(each for (each,) in told)
        return boot in self._boots or boot == processes.own_boot()
