"""What a lease is granted."""

from typing import NamedTuple

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings

GRACE_S = 0.25
"""How long a guest that was told to end may take. After that it must be asleep in a host call."""


class Terms(NamedTuple):
    """What a lease is granted: to whom, under which quota, and what it may use of the host.

    `invoke` is the export to call instead of the capsule's entry point; the guest's arguments are
    then those of the export. `traps_on_refusal` ends the guest at a refused growth.
    """

    principal: Principal
    quota: Quota
    wasi: WasiSettings
    invoke: str | None = None
    label: str = ""
    traps_on_refusal: bool = False
