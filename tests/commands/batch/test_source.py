"""Where jobs come from, and which settings win."""

from pathlib import Path

import pytest

from atectl.batch.job import Wanted
from atectl.budget.errors import BadBudgetFile, BadJob, JobsUnreadable
from atectl.budget.file import HostSettings
from atectl.budget.jobs import Job
from atectl.commands.batch.source import open_source
from atectl.commands.options.host import HostOptions, settle
from atectl.errors import BadSize, UsageError

MIB = 1 << 20


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "jobs.toml"
    path.write_text(text)
    return str(path)


def test_jobs_of_a_file_come_in_order_with_its_settings(tmp_path: Path) -> None:
    text = """
        [host]
        jobs = 3
        [[job]]
        capsule = "b.wat"
        [[job]]
        capsule = "a.wat"
        principal = "other"
        [[job]]
        capsule = "b.wat"
        principal = "third"
        invoke = "add"
    """
    source = open_source(written(tmp_path, text))
    assert [each.capsule for each in source.submissions] == ["b.wat", "a.wat", "b.wat"]
    assert [each.number for each in source.submissions] == [1, 2, 3]
    assert source.total == 3
    assert source.host.jobs == 3
    assert source.capsules == {
        tmp_path / "b.wat": Wanted("default", as_command=False),
        tmp_path / "a.wat": Wanted("other"),
    }


def test_a_bad_table_of_a_file_is_named_before_anything_runs(tmp_path: Path) -> None:
    text = '[[job]]\ncapsule = "a.wat"\n[[job]]\ncapsul = "a.wat"\n'
    with pytest.raises(BadJob, match="job 2: unknown key 'capsul'; did you mean capsule"):
        open_source(written(tmp_path, text))


def test_a_file_without_jobs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobsUnreadable, match=r"has no \[\[job\]\] table"):
        open_source(written(tmp_path, "[host]\njobs = 3\n"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBudgetFile, match="No such file"):
        open_source(str(tmp_path / "missing.toml"))


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadBudgetFile, match="File name too long"):
        open_source("x" * 5000)


@pytest.mark.parametrize("before", ["", "\n  "])
def test_a_file_of_lines_of_json_means_what_it_means_on_stdin(tmp_path: Path, before: str) -> None:
    source = open_source(written(tmp_path, before + '{"capsule": "a.wat"}\n\n{"capsul": 1}\n'))
    assert source.total == 2
    assert source.capsules == {}
    first, second = source.submissions
    assert isinstance(first.job, Job)
    assert first.job.capsule == Path("a.wat")
    assert isinstance(second.job, BadJob)


def test_a_broken_file_that_is_no_json_is_to_be_mended(tmp_path: Path) -> None:
    with pytest.raises(BadBudgetFile) as caught:
        open_source(written(tmp_path, "[host\n"))
    assert "correct the file" in caught.value.remedy


def test_what_is_given_on_the_command_line_wins() -> None:
    host = HostSettings(limit_bytes=MIB, jobs=2, backpressure="park")
    options = HostOptions(limit="1GiB", backpressure="both", policy="park-first", soft=0.9)
    settled = settle(host, options)
    assert settled.limit_bytes == 1024 * MIB
    assert (settled.backpressure, settled.policy, settled.soft) == ("both", "park-first", 0.9)
    assert settled.jobs == 2


def test_what_is_not_given_stays() -> None:
    host = HostSettings(limit_bytes=MIB, spill_dir=Path("/data"), spill_cap_bytes=7)
    assert settle(host, HostOptions()) == host


@pytest.mark.parametrize("options", [HostOptions(limit="lots"), HostOptions(spill_cap="0")])
def test_a_bad_size_is_refused(options: HostOptions) -> None:
    with pytest.raises(BadSize):
        settle(HostSettings(), options)


@pytest.mark.parametrize(
    "options", [HostOptions(soft=1.5), HostOptions(resume=-0.1), HostOptions(soft=0.0)]
)
def test_a_fraction_is_above_0_and_at_most_1(options: HostOptions) -> None:
    with pytest.raises(UsageError, match="no fraction of the limit"):
        settle(HostSettings(), options)


def test_resume_is_not_above_soft() -> None:
    with pytest.raises(UsageError, match=r"threshold of 0\.7 is above the soft limit of 0\.6"):
        settle(HostSettings(resume=0.7), HostOptions(soft=0.6))


def test_a_lower_soft_alone_lowers_resume_with_it() -> None:
    budget = settle(HostSettings(), HostOptions(limit="1000", soft=0.4)).budget()
    assert (budget.soft_bytes, budget.resume_bytes) == (400, 350)
