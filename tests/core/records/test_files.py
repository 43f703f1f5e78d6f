"""Files of TOML, bounded before they are parsed."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from atectl.records.files import MAX_DOTS, MAX_FILE_BYTES, MAX_KEY_PARTS, text_of, toml_of
from atectl.records.reading import Fault

ADDRESS_SPACE_BYTES = 1 << 30


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
    ],
    ids=["key", "inline", "table", "array of tables", "quoted"],
)
def test_a_key_of_thousands_of_parts_is_refused_before_it_is_parsed(
    tmp_path: Path, text: str
) -> None:
    budget = tmp_path / "bomb.toml"
    budget.write_text(text)
    ended = subprocess.run(
        [Path(sys.executable).with_name("atectl"), "budget", "check", budget],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES,) * 2),
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert f"a key of more than {MAX_KEY_PARTS} parts" in ended.stderr


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
