"""A lease that was never started: its capsule was refused, and judging it took CPU time."""

import os
import time

from atectl.accounting import Observation, Usage
from atectl.errors import CapsuleError
from atectl.lease.outcome import REFUSED
from atectl.lease.record import new_id
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import FINISHED, LeaseRecord
from atectl.system.processes import own_identity


class NeverStarted:
    """What the ledger is told of such a lease, so that its principal is charged for it."""

    def __init__(self, id_: str, capsule: str, terms: Terms, error: CapsuleError) -> None:
        self.id = id_
        self._capsule = capsule
        self._terms = terms
        self._error = error
        self._ended_at = time.time()

    def observation(self) -> Observation:
        """What its principal's account is to count of it."""
        usage = Usage(leases=1, compile_cpu_s=self._error.compile_cpu_s)
        return Observation(self.id, self._terms.principal, 0, usage)

    def record(self) -> LeaseRecord:
        """The lease as it is listed: it held nothing, and ended as it began."""
        terms, error = self._terms, self._error
        return LeaseRecord(
            id=self.id,
            principal=terms.principal,
            capsule=self._capsule,
            label=terms.label,
            host=os.uname().nodename,
            pid=os.getpid(),
            process=own_identity(),
            state=FINISHED,
            current_bytes=0,
            peak_bytes=0,
            high_water_bytes=0,
            quota_bytes=terms.quota.memory_bytes,
            refused_growths=0,
            largest_refused_bytes=0,
            cpu_s=0.0,
            byte_seconds=0.0,
            fuel=0,
            trapped=0,
            started_at=self._ended_at,
            updated_at=self._ended_at,
            finished_at=self._ended_at,
            reason=REFUSED,
            exit_status=error.exit_status,
            sha256=error.sha256,
            cached=False,
            compile_s=error.compile_s,
            compile_cpu_s=error.compile_cpu_s,
            compile_peak_bytes=error.compile_peak_bytes,
        )


def charge(ledger: ProcessLedger, capsule: str, terms: Terms, error: CapsuleError) -> None:
    """Charge the principal of `terms` for what it took to refuse a capsule.

    Args:
        capsule: the name of its file.
    """
    lease = NeverStarted(new_id(), capsule, terms, error)
    ledger.open(lease)
    ledger.close(lease)
