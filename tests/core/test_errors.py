"""Every error has a code of its own, a page for `atectl explain`, and the right exit status."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from atectl import errors
from atectl.errors import AtectlError, error_classes, nearest

ROOT = Path(__file__).resolve().parents[2]

STATUSES = {0, 1, 2, 75, 124, 125, 126, 127, 134, 137}
"""Those of the table of exit statuses that an error can lead to; signals and guests have others."""

GROUPS = {
    "E1": {2},
    "E2": {126, 127},
    "E3": {2, 124, 125, 134, 137},
    "E4": {1, 125},
    "E5": {1, 2, 75, 124, 125, 126, 127},
    "E6": {1, 125},
    "E7": {125},
    "E8": {2, 125},
    "E9": {125},
}

DECIDED = {
    errors.UsageError: 2,
    errors.DeadlinePassed: 124,
    errors.LedgerUnavailable: 125,
    errors.LedgerCorrupt: 125,
    errors.LedgerBusy: 125,
    errors.LedgerTooNew: 125,
    errors.EngineFailure: 125,
    errors.InternalError: 125,
    errors.NotWebAssembly: 126,
    errors.MissingImport: 126,
    errors.CapsuleNotFound: 127,
    errors.GuestTrapped: 134,
    errors.InitialMemoryOverQuota: 137,
    errors.InitialTableOverQuota: 137,
}

CLASSES = list(error_classes())


def all_subclasses(cls: type[AtectlError]) -> set[type[AtectlError]]:
    return {cls}.union(*map(all_subclasses, cls.__subclasses__()))


@pytest.mark.parametrize(
    "message",
    [
        f"{'x' * 10_000_000}: no such file",
        f"m exports no function '{'a b ' * 1_000_000}': no such file",
        f"{'y' * 199}: no such file",
        f"{', '.join(['e' * 90_000] * 15)}: no such file",
    ],
    ids=["one word", "in quotes", "nearly too long", "many words"],
)
def test_a_message_repeats_no_more_than_anybody_reads(message: str) -> None:
    error = errors.CapsuleNotFound(message, remedy=message)
    for text in (str(error), error.remedy):
        assert len(text) <= 4000
        assert text.endswith(": no such file")
        assert max(map(len, text.split())) <= 203


def test_a_long_message_of_many_words_is_cut_at_its_end() -> None:
    assert len(str(errors.UsageError("word " * 10_000))) == 4000


def test_a_word_that_is_too_long_to_be_a_slip_is_compared_with_nothing() -> None:
    assert errors.nearest("x" * 100_000_000, ["run"]) == ""


def test_codes_are_unique() -> None:
    codes = Counter(vars(cls)["code"] for cls in all_subclasses(AtectlError) if "code" in vars(cls))
    assert {code for code, count in codes.items() if count > 1} == set()


def test_every_class_that_can_be_raised_is_listed_in_order() -> None:
    listed = [cls.code for cls in CLASSES]
    assert listed == sorted(listed)
    leaves = {cls for cls in all_subclasses(AtectlError) if not cls.__subclasses__()}
    assert leaves <= set(CLASSES)


def codes_in(path: Path) -> list[str]:
    """The codes that the classes in a source file give themselves."""
    assigned = [
        ast.unparse(statement)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
    ]
    return re.findall(r"^code = '(E\d+)'$", "\n".join(assigned), re.MULTILINE)


def codes_listed_by_a_new_process() -> list[str]:
    """What `error_classes` lists where no other module has imported any errors."""
    program = "from atectl.errors import error_classes\nfor cls in error_classes(): print(cls.code)"
    listing = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return listing.stdout.split()


def codes_by_source() -> dict[str, list[str]]:
    """The codes in each source file that has any, by the file's path in the project."""
    sources = [path for top in ("atectl", "commands") for path in (ROOT / top).rglob("*.py")]
    codes = {str(path.relative_to(ROOT)): codes_in(path) for path in sources}
    return {source: found for source, found in codes.items() if found}


def test_every_code_in_the_sources_is_listed() -> None:
    in_sources = [code for codes in codes_by_source().values() for code in codes]
    assert codes_listed_by_a_new_process() == sorted(in_sources)


def test_errors_are_defined_in_their_own_modules_alone() -> None:
    modules = ("errors", *errors.OTHER_MODULES)
    assert set(codes_by_source()) == {f"atectl/{module.replace('.', '/')}.py" for module in modules}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
class TestEveryClass:
    def test_its_code_is_a_letter_and_three_digits(self, cls: type[AtectlError]) -> None:
        assert re.fullmatch(r"E[1-9][0-9]{2}", cls.code)

    def test_its_meaning_is_one_sentence(self, cls: type[AtectlError]) -> None:
        assert cls.__doc__ != AtectlError.__doc__
        assert re.fullmatch(r"[A-Z][^\n]*[^.\s]\.", cls.meaning())

    def test_it_has_an_example_and_a_remedy(self, cls: type[AtectlError]) -> None:
        assert cls.example.strip() == cls.example != ""
        assert cls.default_remedy.strip() == cls.default_remedy != ""

    def test_its_exit_status_is_one_of_its_groups(self, cls: type[AtectlError]) -> None:
        assert cls.exit_status in GROUPS[cls.code[:2]] & STATUSES


@pytest.mark.parametrize(("cls", "status"), DECIDED.items(), ids=lambda value: str(value)[-40:])
def test_exit_statuses_are_those_that_scripts_rely_on(cls: type[AtectlError], status: int) -> None:
    assert cls.exit_status == status


def test_an_error_says_its_message() -> None:
    assert str(errors.LedgerBusy("locked")) == "locked"


def test_a_remedy_of_its_own_goes_before_that_of_the_class() -> None:
    assert errors.LedgerBusy("locked").remedy == errors.LedgerBusy.default_remedy
    assert errors.LedgerBusy("locked", remedy="wait").remedy == "wait"


class TestNearest:
    def test_a_misspelt_word_has_its_neighbour_named(self) -> None:
        assert nearest("max-men", ["principal", "max-mem"]) == "; did you mean max-mem?"

    def test_a_foreign_word_has_none(self) -> None:
        assert nearest("xyzzy", ["principal", "max-mem"]) == ""


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"there is no command {chr(0xDCFF)!r}", r"there is no command '\xff'"),
        (r"there is no command '\\udcff'", r"there is no command '\\udcff'"),
        (r"\udcff: no such file", r"\udcff: no such file"),
    ],
)
def test_a_byte_that_is_not_utf8_is_quoted_as_that_byte(message: str, shown: str) -> None:
    assert str(errors.UsageError(message)) == shown
