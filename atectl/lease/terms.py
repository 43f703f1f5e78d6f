"""What a lease is granted."""

from typing import NamedTuple

from atectl.accounting import Principal, Quota
from atectl.engine.wasi import WasiSettings


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
