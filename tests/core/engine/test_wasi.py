"""Files for a guest's standard streams: why one cannot be used is told apart."""

from pathlib import Path

import pytest

from atectl.engine.wasi import Folder, Streams, WasiSettings, parse_folder, wasi_config
from atectl.errors import StreamUnusable
from tests.support.python_child import AS_NOBODY, in_child

STREAMS = ("stdin", "stdout", "stderr")

REFUSED_TO_NOBODY = f"""
import wasmtime
from atectl.errors import StreamUnusable
from atectl.engine.wasi import Folder, Streams, WasiSettings, parse_folder, wasi_config
import atectl.system.libc, atectl.system.opening  # before they cannot be read any more
{AS_NOBODY}
try:
    wasi_config(WasiSettings(("guest",), streams=Streams(**{{streams}})))
except StreamUnusable as error:
    print(error)
"""


def refused(**streams: str) -> str:
    with pytest.raises(StreamUnusable) as caught:
        wasi_config(WasiSettings(("guest",), streams=Streams(**streams)))
    return str(caught.value)


def test_input_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = f"{tmp_path}/missing"
    assert refused(stdin=missing) == (
        f"stdin: {missing!r} cannot be opened: No such file or directory"
    )


@pytest.mark.parametrize("stream", STREAMS)
def test_a_folder_is_no_stream(tmp_path: Path, stream: str) -> None:
    assert refused(**{stream: str(tmp_path)}) == f"{stream}: {str(tmp_path)!r} is a folder"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_in_a_folder_that_is_not_there_is_refused(tmp_path: Path, stream: str) -> None:
    path = f"{tmp_path}/missing/out"
    assert refused(**{stream: path}) == (
        f"{stream}: {path!r} cannot be opened: its folder does not exist"
    )


@pytest.mark.parametrize("stream", STREAMS)
def test_a_file_that_is_forbidden_is_refused(tmp_path: Path, stream: str) -> None:
    path = tmp_path / "file"
    path.touch(mode=0)
    told = in_child(REFUSED_TO_NOBODY.format(streams={stream: str(path)}))
    assert told == f"{stream}: {str(path)!r} cannot be opened: Permission denied\n"


def test_output_that_nothing_can_be_named_is_refused(tmp_path: Path) -> None:
    assert refused(stdout=f"{tmp_path}/{'x' * 300}").endswith(
        "cannot be opened: File name too long"
    )


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("{}:/data", Folder("{}", "/data", False)),
        ("{}:/data:ro", Folder("{}", "/data", True)),
        ("{}:/data:rw", Folder("{}", "/data", False)),
        ("{}::/data:rw", Folder("{}", "/data", False)),
        ("{}::data", Folder("{}", "data", False)),
    ],
)
def test_a_folder_can_be_written_as_docker_takes_it(
    text: str, folder: Folder, tmp_path: Path
) -> None:
    expected = folder._replace(host=str(tmp_path))
    assert parse_folder(text.format(tmp_path)) == expected


def test_a_folder_with_a_colon_in_its_name_is_that_folder(tmp_path: Path) -> None:
    odd = tmp_path / "a:" / "data"
    odd.mkdir(parents=True)
    assert parse_folder(str(odd)) == Folder(str(odd), str(odd), False)
