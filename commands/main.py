"""The program: choose the command, and end with its exit status."""

import _signal
import _thread
import gc
import os
import sys

from .output.streams import make_steady

TYPE_CHECKING = False
if TYPE_CHECKING:  # Importing `typing` for one name would take longer than `--version` does.
    from sys import UnraisableHookArgs
    from typing import NoReturn

_OUTPUT = ("-o", "--output")
_OBJECTS_BETWEEN_COLLECTIONS = 30_000


def main() -> "NoReturn":
    """The `atectl` program."""
    # Starting up makes many objects, and none of them is garbage: looking through them again and
    # again would take five percent of a warm start.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    sys.unraisablehook = _lose_no_interrupt
    try:
        _hear_interrupts()
        make_steady()
        status = dispatch(sys.argv[1:])
    except KeyboardInterrupt:  # before a command begins, or again while one ends for the first
        from atectl.errors import INTERRUPTED_STATUS

        status = INTERRUPTED_STATUS
    # A guest left asleep in a host call cannot be joined, and there is nothing left to tidy:
    # leaving without the interpreter's own farewell also spares a warm start six percent.
    os._exit(status)


def _hear_interrupts() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt`, unless whoever started the program had it ignored."""
    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _lose_no_interrupt(unraisable: "UnraisableHookArgs") -> None:
    """Have Ctrl-C come again that was raised where Python can pass nothing on.

    That is so in callbacks, such as those that end each import, and in finalizers.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        # On this thread it would be raised right here, and be lost again.
        _thread.start_new_thread(_interrupt, ())
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt() -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def dispatch(arguments: list[str]) -> int:
    """Run one command line; the exit status. Never raises."""
    if not _is_json_asked(arguments):
        return _dispatch(arguments)
    from .output.stderr import tell_as_json

    tell_as_json(is_on=True)
    try:
        return _dispatch(arguments)
    finally:
        tell_as_json(is_on=False)


def _dispatch(arguments: list[str]) -> int:
    try:
        status = _choose(arguments)
        sys.stdout.flush()
        return status
    except BaseException as failure:
        # Most command lines end without an error, and need no import for it.
        from .output.failures import report_failure

        return report_failure(failure)


def _is_json_asked(arguments: list[str]) -> bool:
    """Whether the command line has `-o json`, as far as the words are atectl's own.

    It is looked for before the command line is read, since an error in that is told in the same
    form.
    """
    if arguments[:1] == ["run"] or arguments[:2] == ["locks", "hold"]:
        return False  # they have no such option, and the words of another program
    before = ""
    for word in arguments:
        if word == "--":
            break
        if word in ("-ojson", "--output=json") or (word == "json" and before in _OUTPUT):
            return True
        before = word
    return False


def _choose(arguments: list[str]) -> int:
    """Run the command that the first words name.

    What has to be there at once goes past Typer, whose import takes longer than all the rest.
    """
    match arguments:
        case ["--version" | "-V"]:
            from atectl import __version__

            print(f"atectl {__version__}")
            return 0
        case ["run" | "batch" as command, *words]:
            return _run_or_batch(command, words)
        case ["completions", "candidates", *words]:
            from .completions.candidates import print_candidates

            if print_candidates(words):
                return 0
    return _by_typer(arguments)


def _run_or_batch(command: str, words: list[str]) -> int:
    from .options.table import HelpWanted

    try:
        if command == "run":
            from .run.running import run

            return run(words)
        from .batch.starting import batch

        return batch(words)
    except HelpWanted:
        return _by_typer([command, "--help"])


def _by_typer(arguments: list[str]) -> int:
    from .app import invoke

    return invoke(arguments)
