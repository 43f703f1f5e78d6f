"""The program: choose the command, turn every error into one message and one exit status."""

import os
import sys
from typing import NoReturn

from atectl.errors import AtectlError, InternalError

BROKEN_PIPE_STATUS = 141
"""What a shell reports of a program ended by SIGPIPE."""


def main() -> NoReturn:
    """The `atectl` program."""
    status = dispatch(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        status = BROKEN_PIPE_STATUS
    # A guest left asleep in a host call cannot be joined, and there is nothing left to tidy:
    # leaving without the interpreter's own farewell also spares a warm start six percent.
    os._exit(status)


def dispatch(arguments: list[str]) -> int:
    """Run one command line; the exit status. Never raises."""
    try:
        return _choose(arguments)
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE_STATUS
    except KeyboardInterrupt:
        return 130
    except AtectlError as error:
        report_error(error)
        return error.exit_status
    except Exception as error:
        if os.environ.get("ATECTL_DEBUG"):
            raise
        unnamed = InternalError(f"{type(error).__name__}: {error}")
        report_error(unnamed)
        return unnamed.exit_status


def report_error(error: AtectlError) -> None:
    """Print an error and its remedy to stderr, without any terminal control the text holds."""
    _report("error", "\x1b[1;31m", error)


def report_warning(error: AtectlError) -> None:
    """Print an error that did not keep the command from its work."""
    _report("warning", "\x1b[1;33m", error)


def _report(severity: str, colour: str, error: AtectlError) -> None:
    from atectl.inert import inert_line

    is_coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    begin, end = (colour, "\x1b[0m") if is_coloured else ("", "")
    lines = [f"{begin}{severity}[{error.code}]{end}: {inert_line(str(error))}"]
    if error.remedy:
        lines.append(f"  try: {inert_line(error.remedy)}")
    sys.stderr.write("\n".join(lines) + "\n")


def _choose(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        # Past Typer, whose import would cost a third of a warm start: see run_arguments.
        from .run import run
        from .run_arguments import HelpWanted

        try:
            return run(arguments[1:])
        except HelpWanted:
            arguments = ["run", "--help"]
    from .app import invoke

    return invoke(arguments)


def _forget_stdout() -> None:
    # What is still buffered can go nowhere; a flush at exit would only fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
