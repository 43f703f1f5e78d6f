"""The grammar of `atectl run` around CAPSULE."""

import os
from pathlib import Path

import pytest

from atectl import errors
from atectl.commands.options.places import RedisOptions
from atectl.commands.options.table import HelpWanted, options_of
from atectl.commands.run.arguments import RunRequest, parse
from atectl.engine.wasi import Folder


def read(*words: str, **environment: str) -> RunRequest:
    return parse(list(words), environment)


def test_options_are_taken_before_the_capsule() -> None:
    request = read("--max-mem", "1MiB", "capsule.wasm", "argument")
    assert request.quota.memory_bytes == 1 << 20
    assert request.capsule == "capsule.wasm"
    assert request.wasi.arguments == ("capsule.wasm", "argument")


def test_a_guest_is_told_its_name_in_utf_8() -> None:
    capsule = os.fsdecode("é/é".encode() + b"\xff.wasm")
    request = read(capsule, "argument")
    assert request.capsule == capsule
    assert request.wasi.arguments == ("é\ufffd.wasm", "argument")


def test_options_are_taken_behind_the_capsule_until_the_first_word_that_is_none() -> None:
    request = read("capsule.wasm", "--max-mem", "1MiB", "argument", "--fuel", "7")
    assert request.quota.memory_bytes == 1 << 20
    assert request.quota.fuel is None
    assert request.wasi.arguments[1:] == ("argument", "--fuel", "7")


def test_a_dashed_word_that_is_no_option_of_ours_is_the_guests() -> None:
    request = read("python.wasm", "-c", "print(1)", "--max-mem", "1MiB")
    assert request.wasi.arguments[1:] == ("-c", "print(1)", "--max-mem", "1MiB")


def test_everything_behind_two_dashes_is_the_guests() -> None:
    request = read("capsule.wasm", "--fuel", "7", "--", "--max-mem", "--")
    assert request.quota.fuel == 7
    assert request.wasi.arguments[1:] == ("--max-mem", "--")


def test_the_habitual_short_names_are_taken_before_the_capsule(tmp_path: Path) -> None:
    request = read("-m", "1MiB", "-e", "A=1", "-v", f"{tmp_path}:/data:ro", "-q", "capsule.wasm")
    assert request.quota.memory_bytes == 1 << 20
    assert request.wasi.environment == (("A", "1"),)
    assert request.wasi.folders == (Folder(str(tmp_path), "/data", True),)
    assert request.is_quiet


@pytest.mark.parametrize("word", ["-m", "-e", "-v", "-q", "--timeout"])
def test_a_short_or_other_name_behind_the_capsule_is_the_guests(word: str) -> None:
    request = read("python.wasm", word, "5")
    assert request.wasi.arguments[1:] == (word, "5")


def test_timeout_is_another_name_of_deadline() -> None:
    assert read("--timeout", "5s", "capsule.wasm").quota.deadline_s == 5


def test_variables_named_more_closely_go_before_those_of_a_file_and_those_inherited(
    tmp_path: Path,
) -> None:
    file = tmp_path / "variables"
    file.write_text("# colours\n\nA=file\nB=file\nFROM_HERE\n")
    request = read(
        *("--env", "A=word", "--env-file", str(file), "--inherit-env", "capsule.wasm"),
        A="here",
        B="here",
        C="here",
        FROM_HERE="x",
        ATECTL_REDIS_URL="secret",
    )
    assert dict(request.wasi.environment) == {
        "A": "word",
        "B": "file",
        "C": "here",
        "FROM_HERE": "x",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"A=1\nNOPE\n", "line 2: 'NOPE' is not set"),
        (b"A=1\nB=x\0y\n", "line 2: it holds a NUL"),
        (b"export A='x'\n", "line 1: 'export A' is no name"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_file_of_variables_is_refused_with_its_name(
    content: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "variables"
    file.write_bytes(content)
    with pytest.raises(errors.BadEnvironment, match=f"variables.*{says}"):
        read("--env-file", str(file), "capsule.wasm")


def test_a_line_of_variables_ends_at_a_newline_alone(tmp_path: Path) -> None:
    file = tmp_path / "variables"
    file.write_text("A=one\u2028B=\x0ctwo\r\nC=3", newline="")
    request = read("--env-file", str(file), "capsule.wasm")
    assert dict(request.wasi.environment) == {"A": "one\u2028B=\x0ctwo", "C": "3"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--max-memm", "--max-mem"),
        ("--max-mme", "--max-mem"),
        ("--max_mem=10MiB", "--max-mem"),
        ("--Max-Mem", "--max-mem"),
        ("-max-mem", "--max-mem"),
        ("--max-memory", "--max-mem"),
        ("--dedline", "--deadline"),
        ("--deadlines", "--deadline"),
        ("--dirs", "--dir"),
        ("--fule", "--fuel"),
        ("--prinzipal", "--principal"),
        ("--on-refused-growt", "--on-refused-growth"),
    ],
)
def test_a_first_word_for_the_guest_that_may_be_a_mistyped_option_is_refused(
    word: str, meant: str
) -> None:
    with pytest.raises(errors.UsageError, match=f"close to {meant}, which") as raised:
        read("capsule.wasm", word, "1")
    assert f"write {meant}, or put -- before" in raised.value.remedy
    assert read("capsule.wasm", "--", word, "1").wasi.arguments[1:] == (word, "1")
    assert read("--", "capsule.wasm", word, "1").wasi.arguments[1:] == (word, "1")
    assert read("capsule.wasm", "argument", word).wasi.arguments[1:] == ("argument", word)


@pytest.mark.parametrize(
    "word",
    ["-c", "-", "--", "-5", "--help", "--port", "--memory", "--verbose", "--file", "--input",
     "--level", "--output", "--in", "--x", "--environment", "-" * 100_000, "-o"],
)  # fmt: skip
def test_a_word_that_is_near_to_no_option_is_the_guests(word: str) -> None:
    assert read("capsule.wasm", word, "1").wasi.arguments[-1] == "1"


def test_with_two_dashes_before_the_capsule_every_word_behind_it_is_the_guests() -> None:
    request = read("--fuel", "7", "--", "capsule.wasm", "--dir", "/::/", "--", "--fuel", "9")
    assert request.wasi.folders == ()
    assert request.quota.fuel == 7
    assert request.wasi.arguments[1:] == ("--dir", "/::/", "--", "--fuel", "9")


def test_of_two_variables_with_one_name_the_last_one_holds() -> None:
    request = read("--env", "A=1", "--env", "B=2", "--env", "A=3", "capsule.wasm")
    assert request.wasi.environment == (("A", "3"), ("B", "2"))


def test_two_dashes_before_the_capsule_end_our_options() -> None:
    assert read("--fuel", "7", "--", "--odd-name.wasm").capsule == "--odd-name.wasm"


def test_a_value_may_stand_behind_an_equals_sign() -> None:
    assert read("--max-mem=1MiB", "capsule.wasm").quota.memory_bytes == 1 << 20


def test_help_behind_the_capsule_is_the_guests() -> None:
    assert read("capsule.wasm", "--help").wasi.arguments[1:] == ("--help",)


def test_help_before_the_capsule_is_ours() -> None:
    with pytest.raises(HelpWanted):
        read("--help", "capsule.wasm")


def test_the_guest_knows_itself_by_its_file_name() -> None:
    assert read("some/where/capsule.wasm").wasi.arguments == ("capsule.wasm",)


def test_by_default_nothing_of_the_host_is_given() -> None:
    request = read("capsule.wasm", HOME="/home/operator")
    assert request.wasi.environment == ()
    assert request.wasi.folders == ()


def test_a_variable_is_set_or_passed_on() -> None:
    request = read("--env", "A=1=2", "--env", "B", "capsule.wasm", B="of the host")
    assert request.wasi.environment == (("A", "1=2"), ("B", "of the host"))


def test_the_deadline_can_be_lifted() -> None:
    assert read("capsule.wasm").quota.deadline_s == 300
    assert read("--deadline", "none", "capsule.wasm").quota.deadline_s is None


def test_the_lock_of_an_actor_is_looked_for_where_the_options_of_redis_say() -> None:
    places = [word for option in options_of(RedisOptions).values() for word in (option.name, "x")]
    request = read("--actor", "team/web", *places, "capsule.wasm")
    assert request.lock is not None
    assert request.lock.redis == RedisOptions(["x"], *["x"] * 6)


@pytest.mark.parametrize("name", [option.name for option in options_of(RedisOptions).values()])
def test_an_option_of_redis_is_of_no_use_without_an_actor(name: str) -> None:
    with pytest.raises(errors.UsageError, match=f"{name} needs --actor"):
        read(name, "x", "capsule.wasm")


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["--max-men", "1MiB", "capsule.wasm"], errors.UsageError, "did you mean --max-mem?"),
        (["-z", "capsule.wasm"], errors.UsageError, "there is no option -z"),
        ([], errors.UsageError, "no CAPSULE"),
        (["--max-mem"], errors.UsageError, "needs a value"),
        (["capsule.wasm", "--env"], errors.UsageError, "needs a value"),
        (["--live=yes", "capsule.wasm"], errors.UsageError, "takes no value"),
        (["--max-mem", "lots", "capsule.wasm"], errors.BadSize, "'lots'"),
        (["--max-mem", "0", "capsule.wasm"], errors.BadSize, "zero"),
        (["--max-mem", "", "capsule.wasm"], errors.BadSize, "''"),
        (["--max-mem", "9999999999TiB", "capsule.wasm"], errors.BadSize, "too large"),
        (["--max-stack", "1KiB", "capsule.wasm"], errors.BadSize, "between"),
        (["--deadline", "soon", "capsule.wasm"], errors.BadDuration, "'soon'"),
        (["--deadline", "0s", "capsule.wasm"], errors.BadDuration, "least"),
        (["--deadline", "9999999d", "capsule.wasm"], errors.BadDuration, "too long"),
        (["--principal", "team blue", "capsule.wasm"], errors.BadPrincipal, "' '"),
        (["--principal", "", "capsule.wasm"], errors.BadPrincipal, "empty"),
        (["--principal", "x" * 65, "capsule.wasm"], errors.BadPrincipal, "65"),
        (["--fuel", "-5", "capsule.wasm"], errors.BadCount, "'-5'"),
        (["--fuel", "1.5", "capsule.wasm"], errors.BadCount, "'1.5'"),
        (["--fuel", str(2**63), "capsule.wasm"], errors.BadCount, str(2**63)),
        (["--fuel", "9" * 5000, "capsule.wasm"], errors.BadCount, "no whole number"),
        (["--env", "NOT_SET", "capsule.wasm"], errors.BadEnvironment, "'NOT_SET'"),
        (["--env", "=value", "capsule.wasm"], errors.BadEnvironment, "no name"),
        (["--dir", "/no/such", "capsule.wasm"], errors.BadFolder, "does not exist"),
        (["--dir", "/etc/passwd", "capsule.wasm"], errors.BadFolder, "is not a folder"),
        (["--dir", "/tmp::../up", "capsule.wasm"], errors.BadFolder, "escapes"),
        (["--dir", "/tmp::", "capsule.wasm"], errors.BadFolder, "names no folder"),
        (["--dir", "/tmp::/x", "--dir", "/var::/x", "c.wasm"], errors.BadFolder, "two folders"),
        (["--on-refused-growth", "ask", "capsule.wasm"], errors.UsageError, "'ask'"),
        (["--label", "x" * 201, "capsule.wasm"], errors.UsageError, "201"),
    ],
)
def test_a_bad_command_line_is_refused(
    words: list[str], error: type[errors.AtectlError], says: str
) -> None:
    with pytest.raises(error) as raised:
        read(*words)
    assert says in str(raised.value)
    assert raised.value.exit_status == 2
    assert raised.value.remedy
