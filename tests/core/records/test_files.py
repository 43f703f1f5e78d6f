"""Files of TOML, bounded before they are parsed."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.records.files import MAX_DOTS, MAX_FILE_BYTES, MAX_KEY_PARTS, text_of, toml_of
from atectl.records.reading import Fault

ADDRESS_SPACE_BYTES = 1 << 30
CPU_S = 20


def check_budget(
    folder: Path, text: str, limit: int, most: int
) -> "subprocess.CompletedProcess[str]":
    """What comes of a budget file of this text under a limit of the process."""
    budget = folder / "bomb.toml"
    budget.write_text(text)
    return subprocess.run(
        [Path(sys.executable).with_name("atectl"), "budget", "check", budget],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(limit, (most, most)),
        check=False,
    )


def a_key_of(parts: int) -> str:
    return ".".join(["a"] * parts)


@pytest.mark.parametrize(
    "text",
    [
        f"{a_key_of(20_001)} = 1",
        f"x = {{ {a_key_of(20_001)} = 1 }}",
        f"[{a_key_of(20_001)}]",
        f'[["q" . {a_key_of(20_001)}]]',
        " . ".join(["'a'"] * 20_001) + " = 1",
        f'x = """text"""" #\\\n{a_key_of(20_001)} = 1 #"',
    ],
    ids=["key", "inline", "table", "array of tables", "quoted", "behind a quote"],
)
def test_a_key_of_thousands_of_parts_is_refused_before_it_is_parsed(
    tmp_path: Path, text: str
) -> None:
    ended = check_budget(tmp_path, text, resource.RLIMIT_AS, ADDRESS_SPACE_BYTES)
    assert ended.returncode == 2, ended.stderr
    assert f"a key of more than {MAX_KEY_PARTS} parts" in ended.stderr


@pytest.mark.parametrize("opening", ['"', '"""', ""])
def test_quotes_that_nothing_closes_are_gone_through_once(tmp_path: Path, opening: str) -> None:
    text = f"x = {opening}" + '\\"' * 1_000_000
    ended = check_budget(tmp_path, text, resource.RLIMIT_CPU, CPU_S)
    assert ended.returncode == 2, ended.stderr


def test_keys_that_are_many_and_long_are_refused_together() -> None:
    with pytest.raises(Fault, match="dots together"):
        toml_of("".join(f"[a{number}.b.c.d]\n" for number in range(MAX_DOTS // 3 + 1)))


def test_dots_in_text_and_comments_are_nothing_but_dots() -> None:
    dots = a_key_of(100)
    text = (
        f"# {dots} '\nx = \"{dots}\\\" {dots}\"\ny = '{dots}'\n"
        f'z = """\n{dots} " {dots}\n"""\n"{dots}" = 1\n'
        f"w = '''{dots}\n{dots}'''\nn = [1.5, 2.5]\n"
    )
    assert toml_of(text)["n"] == [1.5, 2.5]


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    fits, large = tmp_path / "fits", tmp_path / "large"
    fits.write_bytes(b"#" * MAX_FILE_BYTES)
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert len(text_of(fits)) == MAX_FILE_BYTES
    with pytest.raises(Fault, match="larger than 4MiB"):
        text_of(large)
    with pytest.raises(Fault, match="larger than 4MiB"):
        text_of(Path("/dev/zero"))


def test_a_number_of_thousands_of_digits_is_told_as_one() -> None:
    with pytest.raises(Fault, match="a number of thousands of digits"):
        toml_of(f"x = {'9' * 100_000}")
