"""A network of its own for a process, behind a link that can be cut. Only for root."""

import os
import shutil
import subprocess
from types import TracebackType

import pytest

_NUMBER = os.getpid() % 250
"""Other runs of these tests have networks of their own."""

HERE, THERE = f"10.231.{_NUMBER}.1", f"10.231.{_NUMBER}.2"
_NAME, _NEAR, _FAR = f"atectl-{_NUMBER}", f"atectl-near{_NUMBER}", f"atectl-far{_NUMBER}"

needs_networks = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="networks are made by root, with `ip`"
)


class OtherNetwork:
    """A network with one link to this one: `THERE`, as seen from `HERE`. To be used with `with`."""

    @property
    def inside(self) -> list[str]:
        """The words of a program that runs another in it."""
        return ["ip", "netns", "exec", _NAME]

    def __enter__(self) -> "OtherNetwork":
        self._take_down()
        _ip("netns", "add", _NAME)
        _ip("link", "add", _NEAR, "type", "veth", "peer", "name", _FAR, "netns", _NAME)
        _ip("addr", "add", f"{HERE}/24", "dev", _NEAR)
        _ip("link", "set", _NEAR, "up")
        _ip("-n", _NAME, "addr", "add", f"{THERE}/24", "dev", _FAR)
        _ip("-n", _NAME, "link", "set", "lo", "up")
        self.mend()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._take_down()

    def cut(self) -> None:
        """Let nothing through, and nobody know."""
        _ip("-n", _NAME, "link", "set", _FAR, "down")

    def mend(self) -> None:
        _ip("-n", _NAME, "link", "set", _FAR, "up")

    def _take_down(self) -> None:
        for words in (("link", "del", _NEAR), ("netns", "del", _NAME)):
            subprocess.run(["ip", *words], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
