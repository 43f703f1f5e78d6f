"""Where a scheduler is, and when its connection is safe enough."""

import pytest

from atectl.batch.fleet.address import NO_TLS, TlsFiles, scheduler_address
from atectl.batch.fleet.errors import InsecureFleet
from atectl.errors import UsageError

TLS = TlsFiles("ca", "cert", "key")


@pytest.mark.parametrize(
    "text", ["tcp://127.0.0.1:8786", "127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786"]
)
def test_this_machine_needs_no_tls(text: str) -> None:
    assert scheduler_address(text).is_on_this_machine


@pytest.mark.parametrize("text", ["tcp://10.0.0.1:8786", "tcp://east:8786", "tcp://0.0.0.0:8786"])
def test_another_machine_needs_tls_or_a_word(text: str) -> None:
    with pytest.raises(InsecureFleet):
        scheduler_address(text)
    assert scheduler_address(text, insecure=True).url == text
    place = text.removeprefix("tcp://")
    assert scheduler_address(f"tls://{place}", TLS).is_encrypted
    assert scheduler_address(place, TLS).url == f"tls://{place}"


@pytest.mark.parametrize("text", ["", "east", "east:", "ucx://a:1", "tcp://:1", "tcp://a:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        scheduler_address(text, insecure=True)


@pytest.mark.parametrize("tls", [TlsFiles("ca"), TlsFiles("ca", "cert"), TlsFiles(None, "c", "k")])
def test_files_of_tls_come_together(tls: TlsFiles) -> None:
    with pytest.raises(UsageError, match="go together"):
        scheduler_address("tls://east:1", tls)


def test_files_of_tls_are_not_for_a_plain_connection() -> None:
    with pytest.raises(UsageError, match="is not encrypted"):
        scheduler_address("tcp://127.0.0.1:1", TLS)
    assert scheduler_address("tls://east:1").tls == NO_TLS  # Dask's own settings have them
