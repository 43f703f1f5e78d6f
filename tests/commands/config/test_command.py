"""`atectl config show` as its users meet it."""

import json
from pathlib import Path

from tests.support.program import atectl


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "atectl.toml"
    file.write_text(
        '[redis]\nurl = "redis://me:secret@host:1"\n[run]\nfuel = 7\n'
        "[profiles.ci.run]\nmax_fds = 9\n"
    )
    environment = {"ATECTL_CONFIG": str(file), "ATECTL_BATCH_JOBS": "3", "ATECTL_LEDGER": "none"}
    shown = atectl("config", "show", "--profile", "ci", "-o", "json", environment=environment)
    assert "secret" not in shown.stdout
    found = {each["name"]: each for each in json.loads(shown.stdout)["settings"]}
    assert {name: (each["values"], each["origin"]) for name, each in found.items()}.items() >= {
        "ledger.path": (["none"], "ATECTL_LEDGER"),
        "redis.url": (["redis://…@host:1"], f"{file}: redis.url"),
        "run.fuel": (["7"], f"{file}: run.fuel"),
        "run.max_fds": (["9"], f"{file}: profiles.ci.run.max_fds"),
        "run.max_mem": (["64MiB"], "default"),
        "run.quiet": (["false"], "default"),
        "batch.jobs": (["3"], "ATECTL_BATCH_JOBS"),
    }.items()
    table = atectl("config", "show", "--set", environment=environment).stdout
    assert [line.split()[0] for line in table.splitlines()] == [
        *("SETTING", "ledger.path", "redis.url", "run.fuel", "batch.jobs"),
    ]


def test_the_default_that_would_hold_is_shown_as_help_says_it(tmp_path: Path) -> None:
    home = {"ATECTL_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}
    shown = json.loads(atectl("config", "show", "-o", "json", environment=home).stdout)["settings"]
    found = {each["name"]: (each["values"], each["usually"]) for each in shown}
    assert (
        found.items()
        >= {
            "cache.max_size": (["2GiB"], None),
            "redis.timeout": (["5s"], None),
            "run.max_capsule": ([], "256MiB"),
            "run.compile_deadline": ([], "1m"),
            "run.max_instances": ([], "10000"),
            "run.max_mem": (["64MiB"], None),
            "run.redis_timeout": ([], "as redis.timeout"),
            "run.ledger": ([], "as ledger.path"),
            "batch.jobs": ([], "as many as cores"),
            "batch.soft": ([], "0.8"),
        }.items()
    )
    help_of_run = " ".join(atectl("run", "--help").stdout.split())
    for name, (values, usually) in found.items():
        if name.startswith("run.") and usually and not usually.startswith("as "):
            assert values == []
            assert f"[default: {usually}]" in help_of_run


def test_a_dash_stands_only_where_there_is_no_default(tmp_path: Path) -> None:
    home = {"ATECTL_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "200"}
    lines = atectl("config", "show", environment=home).stdout.splitlines()
    without = {line.split()[0] for line in lines if line.split()[1] == "-"}
    redis = {"password_file", "ca", "cert", "key", "server_name"}
    assert without == {
        *("redis.url", "run.redis"),
        *(f"redis.{key}" for key in redis),
        *(f"run.redis_{key}" for key in redis),
        *("run.dir", "run.env", "run.env_file", "run.invoke", "run.label", "run.profile"),
        *("run.actor", "run.report"),
        *("batch.resume_from", "batch.results", "batch.trace", "batch.chart", "batch.profile"),
        *("batch.on", "batch.tls_ca", "batch.tls_cert", "batch.tls_key"),
    }
