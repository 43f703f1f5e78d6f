"""Names that the engine would demangle into very much are shown as they stand."""

import string
import time
from pathlib import Path

import pytest

from atectl.accounting import Principal, Quota
from atectl.capsule.function_names import MOST_CHARACTERS, with_harmless_names
from atectl.engine.metered import Engine
from atectl.engine.wasi import WasiSettings
from atectl.lease.lease import Lease
from atectl.lease.terms import Terms
from atectl.ledger_store.process_ledger import ProcessLedger
from tests.support.bombs import doubling_name
from tests.support.loading import load_mapped
from tests.support.wasm_bytes import binary_of

MAP = (
    "_ZNSt3__26__treeINS_12__value_typeINS_12basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEEE"
    "S7_EENS_19__map_value_compareIS7_S8_NS_4lessIS7_EELb1EEENS5_IS8_EEE25__emplace_unique_key_args"
    "IS7_JRKNS_21piecewise_construct_tENS_5tupleIJOS7_EEENSI_IJEEEEEENS_4pairINS_15__tree_iterator"
    "IS8_PNS_11__tree_nodeIS8_PvEElEEbEERKT_DpOT0_"
)
"""A function of the C++ library's maps."""

MODULE = '(module {name} (func $start (@name "{function}") (export "_start") unreachable))'
COMPONENT = """(component
  (component (core module $m (func $run (@name "{function}") (export "run") (result i32)
    unreachable))
    (core instance $i (instantiate $m))
    (func (export "run") (result (result)) (canon lift (core func $i "run"))))
  (instance $inner (instantiate 0))
  (instance $command (export "run" (func $inner "run")))
  (export "wasi:cli/run@0.2.0" (instance $command)))"""


def from_later_arguments(levels: int) -> str:
    """Each argument of a template has the next one twice, and only the last is said in full."""
    digits = ["", *(string.digits + string.ascii_uppercase)]
    arguments = "".join(f"1AIT{digits[n]}_T{digits[n]}_E" for n in range(1, levels))
    return f"_Z1fI{arguments}iEvT_"


def from_closures(levels: int) -> str:
    """The constructor of a closure says the types again that this takes: here what is local in
    another such constructor."""
    type_ = "i"
    for _ in range(levels):
        type_ = f"ZN1fMUl{type_}E_C1EvE1x"
    return f"_ZN1fMUl{type_}E_C1Ev"


def frame_of(engine: Engine, folder: Path, text: str) -> str:
    path = folder / "traps.wat"
    path.write_text(text)
    terms = Terms(Principal(), Quota(1 << 20), WasiSettings(("traps",)))
    run = Lease(engine, load_mapped(engine, path), terms, ProcessLedger())
    run.start()
    trap = run.join().trap
    assert trap is not None
    assert trap.name == "unreachable"
    return trap.frames[0]


@pytest.mark.parametrize("text", [MODULE, COMPONENT], ids=["module", "component"])
@pytest.mark.parametrize(
    "name", [doubling_name(14), from_later_arguments(15)], ids=["said before", "said later"]
)
def test_a_name_that_would_be_very_long_is_shown_as_it_stands(
    engine: Engine, tmp_path: Path, name: str, text: str
) -> None:
    frame = frame_of(engine, tmp_path, text.format(name="", function=name))
    assert frame.startswith(f"0  ?{name[1:150]}")


def test_a_common_name_is_demangled(engine: Engine, tmp_path: Path) -> None:
    frame = frame_of(engine, tmp_path, MODULE.format(name="", function=MAP))
    assert "std::__2::__tree_iterator<std::__2::__value_type<" in frame


@pytest.mark.parametrize(
    "name", [MAP, doubling_name(4), from_later_arguments(4), from_closures(2), "S_" * 1_000, ""]
)
def test_names_that_are_short_stay(name: str) -> None:
    binary = binary_of(MODULE.format(name="", function=name))
    assert with_harmless_names(binary, "module") is binary


@pytest.mark.parametrize("name", [doubling_name(10), from_later_arguments(10), from_closures(18)])
def test_a_name_that_refers_to_much_is_changed_where_it_begins(name: str) -> None:
    binary = binary_of(MODULE.format(name="", function=name))
    changed = with_harmless_names(binary, "module")
    assert changed == binary.replace(name.encode(), b"?" + name[1:].encode())


def test_a_name_that_never_ends_a_reference_is_gone_through_once() -> None:
    binary = binary_of(MODULE.format(name="", function="S" * (MOST_CHARACTERS // 4)))
    began_s = time.process_time()
    assert with_harmless_names(binary, "module") is binary
    assert time.process_time() - began_s < 3


def test_names_of_which_one_is_very_long_are_not_shown(engine: Engine, tmp_path: Path) -> None:
    text = MODULE.format(name="", function="n" * (MOST_CHARACTERS + 1))
    assert frame_of(engine, tmp_path, text).startswith("0  <wasm function 0>")
    text = MODULE.format(name=f"${'m' * (MOST_CHARACTERS + 1)}", function="f")
    assert frame_of(engine, tmp_path, text).startswith("0  <wasm function 0>  (0x")


def test_a_binary_that_is_cut_off_stays() -> None:
    binary = binary_of(MODULE.format(name="$m", function=MAP))
    for end in range(8, len(binary)):
        assert len(with_harmless_names(binary[:end], "module")) == end
