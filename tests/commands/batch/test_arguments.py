"""The command line of `atectl batch`."""

from pathlib import Path

import pytest

from atectl import errors
from atectl.accounting import StoreBounds
from atectl.budget.file import HostSettings
from atectl.capsule.limits import CompileLimits
from atectl.commands.batch.arguments import BatchRequest, Fleet, parse
from atectl.commands.options.fleet import TlsOptions
from atectl.commands.options.host import HostOptions, settle
from atectl.commands.options.table import HelpWanted
from atectl.commands.output.stdout import Output
from atectl.errors import UsageError


def read(*words: str) -> BatchRequest:
    return parse(list(words))


def test_by_default_nothing_is_asked_of_the_host() -> None:
    assert read("jobs.toml") == BatchRequest(
        source="jobs.toml",
        options=HostOptions(),
        pool=0,
        fails_fast=False,
        resume_from=None,
        grace="5s",
        trace=None,
        chart=None,
        ledger=None,
        host_name=None,
        live=None,
        is_quiet=False,
        uses_cache=True,
        compiling=CompileLimits(),
        bounds=StoreBounds(10_000, 16, 128 << 30),
        output=None,
        max_output_bytes=1 << 30,
        isolation="principal",
        cells=None,
        max_fds=256,
        requeue=2,
        capture_bytes=None,
        results=None,
        is_tagged=False,
        retries=0,
        is_dry=False,
        fleet=None,
    )


def test_every_option_reaches_the_request() -> None:
    host = "-j 3 --limit 1GiB --soft 0.9 --resume 0.8 --backpressure park --policy park-first"
    spill = "--spill-dir /spill --spill-cap 2GiB"
    rest = "--pool 2 --fail-fast --resume-from done --grace 9s --trace t --chart c --ledger none"
    rest += " --host-name east-1"
    compiling = "--max-capsule 1MiB --compile-mem 64MiB --compile-deadline 30s"
    made = "--max-instances 5 --max-memories 2 --max-reserved 8GiB"
    shown = "--no-live -q --no-cache -o table --max-output none"
    walls = "--isolate job --cells 5 --max-fds 64 --requeue 5 --capture 64K"
    walls += " --results out --tag --retries 3 --dry-run"
    assert read(
        "-", *f"{host} {spill} {compiling} {made} {rest} {walls} {shown}".split()
    ) == BatchRequest(
        source="-",
        options=HostOptions(
            jobs=3,
            limit="1GiB",
            soft=0.9,
            resume=0.8,
            backpressure="park",
            policy="park-first",
            spill_dir="/spill",
            spill_cap="2GiB",
        ),
        pool=2,
        fails_fast=True,
        resume_from=Path("done"),
        grace="9s",
        trace=Path("t"),
        chart=Path("c"),
        ledger="none",
        host_name="east-1",
        live=False,
        is_quiet=True,
        uses_cache=False,
        compiling=CompileLimits(1 << 20, 64 << 20, 30.0),
        bounds=StoreBounds(5, 2, 8 << 30),
        output=Output.table,
        max_output_bytes=None,
        isolation="job",
        cells=5,
        max_fds=64,
        requeue=5,
        capture_bytes=1 << 16,
        results=Path("out"),
        is_tagged=True,
        retries=3,
        is_dry=True,
        fleet=None,
    )


def test_a_fleet_is_named_by_its_scheduler_and_how_to_trust_it() -> None:
    tls = "--tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem"
    request = read("-", *f"--on tls://east:8786 {tls} --insecure --host-ttl 30s".split())
    assert request.fleet == Fleet(
        "tls://east:8786", TlsOptions("ca.pem", "cert.pem", "key.pem"), insecure=True, ttl_s=30.0
    )
    assert read("-", "--on", "tcp://localhost:1").fleet == Fleet(
        "tcp://localhost:1", TlsOptions(), insecure=False, ttl_s=15.0
    )


@pytest.mark.parametrize(
    "words", ["--limit 1GiB", "--jobs 2", "--trace t", "--ledger none", "--no-cache", "--pool 1"]
)
def test_what_is_about_a_host_of_ones_own_is_refused_with_a_fleet(words: str) -> None:
    with pytest.raises(errors.UsageError, match=f"{words.split()[0]} is about a host"):
        read("-", "--on", "tcp://localhost:1", *words.split())


@pytest.mark.parametrize("words", ["--tls-ca f", "--insecure", "--host-ttl 3s"])
def test_what_is_about_a_fleet_is_refused_without_one(words: str) -> None:
    with pytest.raises(errors.UsageError, match="goes with --on"):
        read("-", *words.split())


def test_options_stand_before_and_behind_the_source() -> None:
    request = read("-ojson", "-", "-j2")
    assert (request.source, request.options.jobs, request.output) == ("-", 2, Output.json)


def test_behind_two_dashes_everything_is_an_argument() -> None:
    assert read("--", "--help").source == "--help"
    assert read("-j2", "--", "--jobs.toml").source == "--jobs.toml"


@pytest.mark.parametrize(
    "words", [("--help",), ("-h",), ("-", "--help"), ("-", "--jobs", "lots", "-h", "--nope")]
)
def test_help_is_ours_before_and_behind_the_source(words: tuple[str, ...]) -> None:
    with pytest.raises(HelpWanted):
        read(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no FILE|- was named"),
        (["a.toml", "b.toml"], "'b.toml' is a second"),
        (["-", "--", "-j2"], "'-j2' is a second"),
        (["-", "--polcy", "both"], "did you mean --policy?"),
        (["-", "-x"], "there is no option -x"),
        (["-", "--policy", "larges"], "did you mean largest?"),
        (["-", "--backpressure", "BOTH"], "is none of both, park, spill, none"),
        (["-", "-o", "yaml"], "is none of table, wide, json"),
        (["-", "--jobs", "4097"], "from 1 to 4096"),
        (["-", "--pool", "-1"], "from 0 on"),
        (["-", "--soft", "most"], "--soft 'most' is no fraction"),
        (["-", "--resume", ""], "--resume '' is no fraction"),
        (["-", "--resume-from"], "--resume-from needs a value: --resume-from FILE"),
        (["-", "--cache=yes"], "--cache takes no value"),
    ],
)
def test_a_bad_command_line_of_a_batch_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(errors.UsageError) as raised:
        read(*words)
    assert says in str(raised.value)
    assert raised.value.exit_status == 2
    assert raised.value.remedy


def test_the_folder_for_spilled_memory_is_a_path_to_the_host() -> None:
    settled = settle(HostSettings(), read("-", "--spill-dir", "/spill").options)
    assert settled.spill_dir == Path("/spill")


@pytest.mark.parametrize("size", ["0", "5MiB", "much"])
def test_what_can_not_be_captured_is_refused(size: str) -> None:
    with pytest.raises(UsageError):
        read("-", "--capture", size)
