"""Errors of traces that are read or written."""

from atectl.errors import AtectlError, UsageError


class BadTrace(UsageError):
    """A trace of arbitration could not be read."""

    code = "E340"
    example = "atectl budget simulate notes.txt"
    default_remedy = "record one with: atectl batch --trace FILE"


class TraceUnwritable(AtectlError):
    """The trace of a batch could not be written."""

    code = "E341"
    example = "atectl batch --trace /no/such/folder/trace.jsonl jobs.toml"
    default_remedy = "check that the folder exists, is yours and has space"
