"""What an outcome says, and what it advises."""

import wasmtime

from atectl.accounting import Quota
from atectl.engine.metered import Engine
from atectl.lease.outcome import DEADLINE, exited, told_to_end, trapped
from atectl.units import format_duration

QUOTA = Quota(1 << 20, 10.0)


def test_frames_are_spoken_of_where_there_are_some(engine: Engine) -> None:
    store = wasmtime.Store(engine.native)
    store.set_epoch_deadline(1)
    module = wasmtime.Module(engine.native, '(module (func (export "f") unreachable))')
    function = wasmtime.Instance(store, module, []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    try:
        function(store)
    except wasmtime.Trap as trap:
        error = trapped(trap, QUOTA).error
    assert error is not None
    assert "frames" in error.remedy


def test_where_there_are_none_nothing_is_said_of_them() -> None:
    error = trapped(wasmtime.Trap("the host says so"), QUOTA).error
    assert error is not None
    assert "frames" not in error.remedy


def test_a_guest_that_was_hardly_held_was_still_running() -> None:
    error = told_to_end(DEADLINE, QUOTA, 0, held_s=0.2).error
    assert str(error) == f"the guest was still running after {format_duration(10)}"


def test_one_that_was_held_did_not_run_all_the_time() -> None:
    error = told_to_end(DEADLINE, QUOTA, 0, held_s=8.0).error
    assert f"of which the host held it for {format_duration(8)}" in str(error)


def test_a_guests_number_is_kept_beside_its_status() -> None:
    assert exited(256)[:2] == ("exited", 1)
    assert exited(256).exit_code == 256
