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
