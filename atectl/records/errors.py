"""Errors as results tell of them."""

from typing import Literal, NamedTuple

from atectl.errors import AtectlError


class ErrorFacts(NamedTuple):
    """What went wrong, and what to do about it."""

    code: str
    """The code of the error; `atectl explain CODE` has its page."""
    message: str
    """What happened, in one line."""
    remedy: str
    """What to do; may be empty."""


class ToldError(NamedTuple):
    """An error or a warning of a command, as a line of JSON on stderr."""

    severity: Literal["error", "warning"]
    """Whether it ended the command, or kept it from nothing."""
    code: str
    """Its code; `atectl explain CODE` has its page."""
    message: str
    """What happened, in one line."""
    remedy: str
    """What to do; may be empty."""
    exit_status: int | None
    """The exit status that the command ends with for it; null for a warning."""


class ErrorPage(NamedTuple):
    """What a code of an error means."""

    code: str
    """The code."""
    meaning: str
    """What happened, in a sentence."""
    example: str
    """A way to meet it."""
    remedy: str
    """What to do."""
    exit_status: int
    """The exit status of a command that fails with it."""


class ErrorList(NamedTuple):
    """The codes of errors, each with its page."""

    errors: tuple[ErrorPage, ...]
    """In the order of their codes."""


def facts_of(error: AtectlError) -> ErrorFacts:
    """An error as a report tells of it."""
    return ErrorFacts(error.code, str(error), error.remedy)


def page_of(error: type[AtectlError]) -> ErrorPage:
    """The page of one code."""
    return ErrorPage(
        error.code, error.meaning(), error.example, error.default_remedy, error.exit_status
    )
