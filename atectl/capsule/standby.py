"""Standing by in a fork: what a future zygote does until it is asked for something.

If it may never be asked, that is next to nothing: importing the modules that judge and compile
takes longer than forking this process. If it will be, it imports what it needs at once, while its
parent goes on.
"""

import os
import sys
from _socket import MSG_PEEK, socket
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Never

from atectl.capsule.task import CONTROL
from atectl.engine.settings import EngineSettings
from atectl.system.signals import leave_signals_to_parent

if TYPE_CHECKING:
    from atectl.capsule.interface import LinkingEngine


PREPARED = b"prepared"
"""What is told once all is imported that was to be imported at once."""


def stand_by(
    control: int, engine: "LinkingEngine | EngineSettings", modules: Iterable[str] = ()
) -> Never:
    """Wait in a fork for the first task, and be a zygote from then on.

    Of the parent's descriptors only `control` is kept. The process ends when the parent is gone.

    Args:
        engine: the engine that the parent has, or how one is made.
        modules: what to import at once, with the engine, and to tell when that is done.
    """
    try:
        _let_go_of_parent(control)
        if modules:
            engine = _made(engine)
            for module in modules:
                import_module(module)
            _tell_prepared()
        if not _is_asked():
            os._exit(0)
        from atectl.capsule.zygote import serve

        serve(_made(engine))
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


def _made(engine: "LinkingEngine | EngineSettings") -> "LinkingEngine":
    if not isinstance(engine, EngineSettings):
        return engine
    from atectl.engine.metered import Engine

    return Engine(engine)


def _tell_prepared() -> None:
    told = socket(fileno=CONTROL)
    with suppress(OSError):  # the parent is gone, which is seen next
        told.send(PREPARED)
    told.detach()


def _is_asked() -> bool:
    """Wait for the first message without reading it. Returns False if the parent is gone."""
    waiting = socket(fileno=CONTROL)
    try:
        return waiting.recv(1, MSG_PEEK) != b""
    except ConnectionError:
        return False
    finally:
        waiting.detach()
