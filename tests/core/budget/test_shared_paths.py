"""Paths of jobs that run on other machines."""

import pytest

from atectl.budget.errors import BadJob
from atectl.budget.jobs import Job, JobDefaults, parse_job
from atectl.budget.shared_paths import share_of, shares_in
from atectl.engine.wasi import Folder, Streams

ELSEWHERE = JobDefaults(elsewhere=True)


def job(**keys: object) -> Job:
    return parse_job({"capsule": "a.wasm", **keys}, ELSEWHERE)


def test_a_job_for_elsewhere_names_files_and_folders_in_shares() -> None:
    made = job(stdout="share:data/out", dirs=["share:data/in:ro", "share:logs::/var/log"])
    assert made.wasi.streams == Streams(stdout="share:data/out")
    assert made.wasi.folders == (
        Folder("share:data/in", "/in", True),
        Folder("share:logs", "/var/log", False),
    )
    assert shares_in(made.wasi) == {"data", "logs"}


@pytest.mark.parametrize(
    "keys",
    [
        {"stdin": "in"},
        {"stdout": "/tmp/out"},
        {"dirs": ["/tmp"]},
        {"dirs": ["share:data/../.."]},
        {"dirs": ["share:data::../x"]},
        {"dirs": ["share:a", "share:b/a"]},
        {"stdout": "share:data/x", "stderr": "share:data//x"},
        {"stdout": "share:a b/x"},
        {"capsule": "sha256:abc"},
        {"capsule": f"sha256:{'A' * 64}"},
    ],
    ids=str,
)
def test_what_is_not_on_hosts_is_refused(keys: dict[str, object]) -> None:
    submitted = {"capsule": "a.wasm", **keys}
    with pytest.raises(BadJob):
        parse_job(submitted, ELSEWHERE)


def test_a_capsule_is_named_by_its_hash_only_elsewhere() -> None:
    name = f"sha256:{'0a' * 32}"
    assert str(job(capsule=name).capsule) == name
    assert parse_job({"capsule": name}, JobDefaults()).capsule.name == name


@pytest.mark.parametrize(
    ("path", "share"),
    [("share:data/x", "data"), ("share:data", "data"), ("share:", None), ("data/x", None)],
)
def test_the_share_of_a_path(path: str, share: str | None) -> None:
    assert share_of(path) == share
