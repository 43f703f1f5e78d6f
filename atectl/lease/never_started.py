"""A lease that was never started: its capsule was refused, or compiling it was cut short."""

from typing import NamedTuple

from atectl.accounting import Observation, Reading
from atectl.errors import AtectlError, CapsuleError
from atectl.lease.course import Course
from atectl.lease.outcome import refused
from atectl.lease.record import new_id, observation_of, record_of
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from atectl.ledger_store.records import FINISHED, LeaseRecord


class RefusedCapsule(NamedTuple):
    """What is known of a capsule that did not get to run."""

    title: str
    sha256: str | None
    compile_s: float
    compile_cpu_s: float
    compile_peak_bytes: int
    was_cached: bool = False


class NeverStarted:
    """Such a lease, as the ledger lists it: it held nothing, and ended as it began."""

    state = FINISHED
    cpu_s = 0.0
    fuel = 0

    def __init__(self, capsule: str, terms: Terms, error: AtectlError) -> None:
        self.id = new_id()
        self.terms = terms
        sha256 = error.sha256 if isinstance(error, CapsuleError) else None
        self.capsule = RefusedCapsule(
            capsule, sha256, error.compile_s, error.compile_cpu_s, error.compile_peak_bytes
        )
        self._course = Course()
        self._course.finish(refused(error))

    def read(self) -> Reading:
        """Its memory: none."""
        return Reading(0, 0, 0, 0, 0, 0.0)

    def observation(self) -> Observation:
        """What its principal's account is to count of it."""
        return observation_of(self, self._course)

    def record(self) -> LeaseRecord:
        """The lease as it is listed."""
        return record_of(self, self._course)


def charge(ledger: ProcessLedger, capsule: str, terms: Terms, error: AtectlError) -> None:
    """Charge the principal of `terms` for what it took until a capsule ended with an error.

    Args:
        capsule: the name of its file.
    """
    lease = NeverStarted(capsule, terms, error)
    ledger.open(lease)
    ledger.close(lease)
