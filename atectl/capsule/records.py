"""Records: a few named lines of text with a checksum, for files and for messages."""

from binascii import crc32
from codecs import unicode_escape_decode, unicode_escape_encode

_FORMAT = "format 1\n"


def encode(record: dict[str, str]) -> bytes:
    """Lines of `name value`. Values must not contain a line end: see `escape`."""
    body = _FORMAT + "".join(f"{name} {value}\n" for name, value in record.items())
    return f"{crc32(body.encode()):08x}\n{body}".encode()


def decode(content: bytes) -> dict[str, str] | None:
    """The record that `encode` was given; None if it is damaged."""
    checksum, _, body = content.partition(b"\n")
    if checksum != b"%08x" % crc32(body) or not body.startswith(_FORMAT.encode()):
        return None
    lines = body.decode().removeprefix(_FORMAT).split("\n")
    return dict(line.split(" ", 1) for line in lines if line)


def escape(text: str) -> str:
    """Any text as one line, without NUL."""
    return unicode_escape_encode(text)[0].decode("ascii")


def unescape(line: str) -> str:
    """The text that `escape` was given."""
    return unicode_escape_decode(line)[0]
