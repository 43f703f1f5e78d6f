"""What is known of a host: what it tells of itself, and its line in a listing."""

from typing import NamedTuple


class HostFacts(NamedTuple):
    """What a host is, and how it fares.

    `pressure_bytes` and `spilled_bytes` are as of now; `waiting` jobs have yet to start.
    """

    name: str
    slots: int
    limit_bytes: int
    most_bytes: int
    pressure_bytes: int
    spilled_bytes: int
    running: int
    waiting: int
    ended: int
    is_draining: bool
    shares: tuple[str, ...]


class HostEntry(NamedTuple):
    """A host of a fleet."""

    host: str
    """Its name."""
    address: str
    """Where it listens."""
    jobs: int
    """How many jobs it runs at once."""
    running: int
    """The jobs that have a lease now, of all batches."""
    waiting: int
    """The jobs that were sent to it and have yet to start."""
    ended: int
    """The jobs that have ended on it since it joined."""
    pressure_bytes: int
    """What it uses now."""
    limit_bytes: int
    """What it may use."""
    spilled_bytes: int
    """What memory of guests takes on its disk."""
    is_draining: bool
    """Whether it takes no more jobs."""
    shares: tuple[str, ...]
    """The names of the folders that jobs may use there."""
    silent_s: float
    """How long ago the scheduler last heard of it."""


class HostList(NamedTuple):
    """The hosts that have joined a scheduler, by their names."""

    hosts: tuple[HostEntry, ...]
    """In the order of their names."""
