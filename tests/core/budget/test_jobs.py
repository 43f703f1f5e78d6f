"""Jobs are read strictly: what is wrong is named with its key and line, and spoils one job only."""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atectl.accounting import MAX_LABEL_CHARACTERS, Principal
from atectl.budget import jobs
from atectl.budget.errors import BadJob
from atectl.budget.jobs import (
    JOB,
    Allowance,
    Job,
    JobDefaults,
    Submission,
    digest,
    in_words_of_a_job,
    parse_job,
    submit,
    submit_lines,
)
from atectl.engine.wasi import NO_FILES, Streams
from atectl.errors import AtectlError, error_classes

MIB = 1 << 20
DEFAULTS = JobDefaults()
HUGE = 1 << 20_000
"""Has more digits than Python converts to text; TOML has such numbers as 0xfff…"""


def parsed(**table: Any) -> Job:
    return parse_job({"capsule": "a.wasm", **table}, DEFAULTS)


def refused(table: dict[str, Any]) -> str:
    with pytest.raises(BadJob) as caught:
        parse_job(table, DEFAULTS)
    assert caught.value.exit_status == 2
    return str(caught.value)


# What a job says


def test_a_capsule_alone_is_a_job_with_defaults() -> None:
    job = parsed()
    assert job.capsule == Path("a.wasm")
    assert job.principal == "default"
    assert (job.quota.memory_bytes, job.quota.deadline_s) == (64 * MIB, 300.0)
    assert (job.priority, job.label, job.invoke) == (0, "", None)
    assert job.wasi.streams == NO_FILES


def test_every_key_is_read(tmp_path: Path) -> None:
    job = parsed(
        args=["-c", "print(1)"],
        env={"MODE": "fast", "EMPTY": ""},
        dirs=[f"{tmp_path}::/data:ro"],
        principal="team-blue",
        max_mem="128MiB",
        priority=-5,
        deadline="1m30s",
        label="nightly",
        invoke="main",
        stdin="in.txt",
        stdout="out.txt",
        stderr="err.txt",
    )
    assert job.wasi.arguments == ("a.wasm", "-c", "print(1)")
    assert job.wasi.environment == (("MODE", "fast"), ("EMPTY", ""))
    assert job.wasi.folders == ((str(tmp_path), "/data", True),)
    assert job.principal == "team-blue"
    assert (job.quota.memory_bytes, job.quota.deadline_s) == (128 * MIB, 90.0)
    assert (job.priority, job.label, job.invoke) == (-5, "nightly", "main")
    here = Path.cwd()
    assert job.wasi.streams == Streams(f"{here}/in.txt", f"{here}/out.txt", f"{here}/err.txt")


@pytest.mark.parametrize(
    ("given_size", "size_bytes"), [("64M", 64 * MIB), ("64MB", 64_000_000), (65_536, 65_536)]
)
def test_a_size_is_text_or_a_number_of_bytes(given_size: Any, size_bytes: int) -> None:
    assert parsed(max_mem=given_size).quota.memory_bytes == size_bytes


@pytest.mark.parametrize(
    ("given_deadline", "deadline_s"), [("250ms", 0.25), (90, 90.0), (0.5, 0.5), ("none", None)]
)
def test_a_deadline_is_text_or_a_number_of_seconds(
    given_deadline: Any, deadline_s: float | None
) -> None:
    assert parsed(deadline=given_deadline).quota.deadline_s == deadline_s


def test_variables_may_be_a_list_as_on_the_command_line() -> None:
    defaults = JobDefaults(environment={"HOME": "/home/me"})
    job = parse_job({"capsule": "a.wasm", "env": ["MODE=fast", "HOME"]}, defaults)
    assert job.wasi.environment == (("MODE", "fast"), ("HOME", "/home/me"))


def test_relative_paths_begin_at_the_folder_of_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    table = {"capsule": "a.wasm", "dirs": ["data"], "stdout": "out.txt", "stdin": "/etc/hosts"}
    job = parse_job(table, JobDefaults(folder=tmp_path))
    assert job.capsule == tmp_path / "a.wasm"
    assert job.wasi.streams == Streams(stdin="/etc/hosts", stdout=f"{tmp_path}/out.txt")
    assert job.wasi.folders == ((str(tmp_path / "data"), "data", False),)


def test_what_a_job_leaves_out_is_its_principals_or_everybodys() -> None:
    defaults = JobDefaults(
        general=Allowance(memory_bytes=8 * MIB),
        principals={"blue": Allowance(32 * MIB, 10.0, 7)},
    )
    blue = parse_job({"capsule": "a.wasm", "principal": "blue"}, defaults)
    assert (blue.quota.memory_bytes, blue.quota.deadline_s, blue.priority) == (32 * MIB, 10.0, 7)
    red = parse_job({"capsule": "a.wasm", "principal": "red"}, defaults)
    assert red.quota.memory_bytes == 8 * MIB
    own = parse_job({"capsule": "a.wasm", "principal": "blue", "max_mem": "1MiB"}, defaults)
    assert own.quota.memory_bytes == MIB


# What is refused


def test_a_job_without_a_capsule_is_none() -> None:
    assert refused({"args": []}) == "capsule is missing"


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    assert refused({"capsul": "a.wasm"}) == "unknown key 'capsul'; did you mean capsule?"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("capsule", "", "capsule: it is empty"),
        ("capsule", 7, "capsule: 7 is no text"),
        ("capsule", "a\0b", 'capsule: "a\\u0000b" holds a NUL character'),
        ("args", "one two", 'args: "one two" is no list of texts'),
        ("args", [1], "args 1: 1 is no text"),
        ("args", ["\ud800"], "is not UTF-8"),
        ("env", {"A=B": "c"}, "env: 'A=B' is not a name"),
        ("env", {"A": 1}, "env: 1 is no text"),
        ("env", ["UNSET_HERE"], "env: 'UNSET_HERE' is not set here"),
        ("dirs", ["/no/such/folder"], "dirs: '/no/such/folder' does not exist"),
        ("dirs", ["::/data"], "dirs: '::/data' names no folder"),
        ("principal", "team blue", "principal: principal 'team blue' has ' '"),
        ("max_mem", "0.3B", "max_mem: '0.3B' is not a whole number of bytes"),
        ("max_mem", True, "max_mem: true is not a size"),
        ("max_mem", -1, "max_mem: '-1' is not a size"),
        ("priority", 1.5, "priority: 1.5 is no whole number"),
        ("priority", "high", 'priority: "high" is no whole number'),
        ("priority", 10**6, "priority: 1000000 is no whole number from -1000 to 1000"),
        ("deadline", "soon", "deadline: 'soon' is not a duration"),
        ("deadline", 0, "deadline: '0' is zero"),
        ("label", "x" * (MAX_LABEL_CHARACTERS + 1), "label: it has 201 characters"),
        ("stdout", [], "stdout: [] is no text"),
        *(
            ("max_mem", HUGE, "max_mem: a number of thousands of digits is larger than any size"),
            ("deadline", HUGE, "deadline: a number of thousands of digits is larger than any"),
            ("deadline", 10**400, "deadline: 1000000000000000000000000000000000000"),
            ("priority", HUGE, "priority: a number of thousands of digits is no whole number"),
            ("capsule", HUGE, "capsule: a number of thousands of digits is no text"),
            ("args", [HUGE], "args 1: a number of thousands of digits is no text"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_cannot_be_used_is_named_with_its_key(key: str, value: Any, says: str) -> None:
    assert says in refused({"capsule": "a.wasm", key: value})


def test_a_number_that_python_cannot_write_makes_a_refused_job_and_no_crash() -> None:
    submission = submit(1, {"capsule": "a.wasm", "max_mem": HUGE}, DEFAULTS)
    assert submission.digest == ""
    assert isinstance(submission.job, BadJob)


def test_a_number_with_a_fraction_can_be_a_deadline_and_a_size() -> None:
    job = parsed(deadline=1.5, max_mem=65536.0)
    assert (job.quota.deadline_s, job.quota.memory_bytes) == (1.5, 65536)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(JOB.keys) | st.text(), json_values, max_size=5))
def test_whatever_it_holds_a_table_is_a_job_or_one_error(table: dict[str, Any]) -> None:
    assert isinstance(submit(1, table, DEFAULTS).job, Job | BadJob)


@given(st.binary(max_size=80))
def test_whatever_it_holds_a_line_is_a_job_or_one_error(line: bytes) -> None:
    for submission in submit_lines([line], DEFAULTS):
        assert isinstance(submission.job, Job | BadJob)


# Lines and tables


def submitted(*lines: str) -> list[Submission]:
    return list(submit_lines([line.encode() + b"\n" for line in lines], DEFAULTS))


def error_of(submission: Submission) -> AtectlError:
    assert isinstance(submission.job, AtectlError)
    return submission.job


def test_a_bad_line_spoils_no_other() -> None:
    first, bad, last = submitted('{"capsule": "a"}', "{capsule", '{"capsule": "b"}')
    assert isinstance(first.job, Job)
    assert str(error_of(bad)).startswith("line 2: it is no JSON")
    assert isinstance(last.job, Job)


def test_blank_lines_are_counted_and_no_jobs() -> None:
    assert [each.number for each in submitted("", '{"capsule": "a"}', "  ")] == [2]


@pytest.mark.parametrize("line", ["[1]", '"text"', "null", "[" * 100_000, "1" * 5000, "{"])
def test_a_line_that_is_no_object_says_so(line: str) -> None:
    [submission] = submitted(line)
    assert str(error_of(submission)).startswith("line 1: it is no JSON")


@pytest.mark.parametrize("depth", range(900, 1_000, 5))
def test_a_line_that_is_nested_too_deeply_spoils_no_other(depth: int) -> None:
    args = "[" * depth + "]" * depth
    lines = [f'{{"capsule": "a.wasm", "args": {args}}}\n'.encode(), b'{"capsule": "a.wasm"}\n']
    deep, plain = submit_lines(lines, JobDefaults())
    assert str(error_of(deep)).startswith("line 1: ")
    assert isinstance(plain.job, Job)


def test_a_line_that_is_not_utf8_says_so() -> None:
    [submission] = submit_lines([b'{"capsule": "\xff"}\n'], DEFAULTS)
    assert str(error_of(submission)) == "line 1: it is not UTF-8"


def test_a_bad_job_keeps_what_it_said_of_itself() -> None:
    [submission] = submitted('{"capsule": "a", "label": "x", "principal": "p", "max_mem": "?"}')
    assert str(error_of(submission)) == "line 1: max_mem: '?' is not a size"
    assert (submission.capsule, submission.label, submission.principal) == ("a", "x", "p")


def test_lines_are_read_as_they_are_needed() -> None:
    def lines() -> Any:
        yield b'{"capsule": "a"}\n'
        raise AssertionError("the second line was read")

    assert next(submit_lines(lines(), DEFAULTS)).number == 1


def test_the_digest_tells_jobs_apart_and_not_the_order_of_their_keys() -> None:
    assert digest({"capsule": "a", "label": "x"}) == digest({"label": "x", "capsule": "a"})
    assert digest({"capsule": "a"}) != digest({"capsule": "a", "args": ["1"]})


@pytest.mark.parametrize("missing", [(), ("_sha2", "_sha256")])
def test_the_digest_is_the_beginning_of_a_sha_256_whichever_module_has_it(
    missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    jobs._sha256.cache_clear()
    expected = hashlib.sha256(b'{"capsule": "a"}').hexdigest()[:16]
    assert digest({"capsule": "a"}) == expected
    jobs._sha256.cache_clear()


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_the_digest_survives_json(table: dict[str, Any]) -> None:
    assert digest(json.loads(json.dumps(table))) == digest(table)


def test_a_principal_is_one_by_the_rule() -> None:
    assert isinstance(parsed(principal="p").principal, Principal)


# Streams that would be written over each other


@pytest.mark.parametrize(
    ("one", "other"), [("stdin", "stdout"), ("stdin", "stderr"), ("stdout", "stderr")]
)
def test_two_streams_of_a_job_are_not_one_file(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    table = {one: f"{tmp_path}/file", other: f"{tmp_path}/link/../{tmp_path.name}/file"}
    assert refused({"capsule": "a.wasm", **table}).startswith(f"{one} and {other} are one file")


def test_streams_of_a_job_may_share_what_has_no_beginning() -> None:
    job = parsed(stdin="/dev/null", stdout="/dev/null", stderr="/dev/null")
    assert job.wasi.streams == Streams("/dev/null", "/dev/null", "/dev/null")


# Remedies


@pytest.mark.parametrize("cls", [*error_classes(), None])
def test_no_remedy_names_an_option_of_run_that_a_job_has_a_key_for(
    cls: type[AtectlError] | None,
) -> None:
    remedy = cls.default_remedy if cls else "raise the quota: --max-mem 32MiB or more"
    told = in_words_of_a_job(remedy)
    for option in ("--max-mem", "--deadline", "--dir", "--env", "--invoke"):
        assert option not in told


def test_the_remedy_for_a_bad_key_names_keys() -> None:
    with pytest.raises(BadJob) as caught:
        parsed(dirs=["/no/such/folder"])
    assert caught.value.remedy.startswith('write dirs ["HOST"]')


def test_paths_that_are_longer_than_any_are_not_looked_through() -> None:
    path, began_s = "a/" * 100_000, time.process_time()
    parse_job({"capsule": "a.wasm", "stdin": path, "stdout": f"{path}b"}, JobDefaults())
    assert time.process_time() - began_s < 1
