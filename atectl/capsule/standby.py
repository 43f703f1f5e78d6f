"""Standing by in a fork: what a future zygote does until there is something to compile.

That is next to nothing. Most batches find all their capsules in the cache, and importing the
modules that judge and compile takes longer than forking this process.
"""

import os
import sys
from _socket import MSG_PEEK, socket
from typing import TYPE_CHECKING, Never

from atectl.capsule.task import CONTROL
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine


def stand_by(control: int, engine: "LinkingEngine") -> Never:
    """Wait in a fork for the first task, and be a zygote from then on.

    Of the parent's descriptors only `control` is kept. The process ends when the parent is gone.
    """
    try:
        _let_go_of_parent(control)
        if not _is_asked():
            os._exit(0)
        from atectl.capsule.zygote import serve

        serve(engine)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _let_go_of_parent(control: int) -> None:
    leave_signals_to_parent()
    os.dup2(control, CONTROL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    if not os.environ.get("ATECTL_DEBUG"):
        os.dup2(nothing, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _is_asked() -> bool:
    """Wait for the first message without reading it. Returns False if the parent is gone."""
    waiting = socket(fileno=CONTROL)
    try:
        return waiting.recv(1, MSG_PEEK) != b""
    except ConnectionError:
        return False
    finally:
        waiting.detach()
