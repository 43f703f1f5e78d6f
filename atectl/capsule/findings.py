"""What was found out about capsules besides their code, kept in the cache by content.

It holds for one release of atectl and one engine: another may decide otherwise.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from atectl import __version__
from atectl.capsule.cache_folder import NOTE, REFUSAL, CacheFolder, entry_key
from atectl.capsule.limits import CompileLimits
from atectl.capsule.source import is_named_brotli

if TYPE_CHECKING:
    from atectl.capsule.refusal import Refusal

MAX_NOTE_BYTES = 1 << 20
"""The longest note that is kept of a capsule."""


class Findings:
    """Refusals of capsules, and notes about them. All take the hash of a capsule's file.

    Nothing is lost where one cannot be kept: the next one to ask only repeats the work.
    """

    def __init__(self, folder: CacheFolder, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def refusal(self, sha256: str, limits: CompileLimits, name: str = "") -> "Refusal | None":
        """The kept refusal of a capsule; None if none holds for these limits.

        Args:
            name: of its file, which may say how the content is encoded.
        """
        record = self._folder.read_record(self._refusal_name(sha256, name))
        if record is None or record.get("judge") != self._judge(sha256):
            return None
        # Of most capsules there is none, and they should not pay for this import.
        from atectl.capsule.refusal import Refusal

        refusal = Refusal.read(record)
        return refusal if refusal.holds_under(limits) else None

    def remember_refusal(self, sha256: str, refusal: "Refusal", name: str = "") -> None:
        """Keep a refusal, so that nobody repeats the work for the same content.

        Args:
            name: of its file, which may say how the content is encoded.
        """
        record = {"judge": self._judge(sha256), **refusal.record()}
        with suppress(OSError):
            self._folder.write_record(self._refusal_name(sha256, name), record)

    def note(self, sha256: str) -> bytes | None:
        """What was noted of a capsule by this release; None if nothing was."""
        found = self._folder.read(entry_key(sha256, self._fingerprint) + NOTE, MAX_NOTE_BYTES)
        judge, _, content = (found or b"").partition(b"\n")
        return content if judge.decode(errors="replace") == self._judge(sha256) else None

    def take_note(self, sha256: str, content: bytes) -> None:
        """Keep what is known of a capsule, unless it is more than `MAX_NOTE_BYTES`."""
        noted = self._judge(sha256).encode() + b"\n" + content
        if len(noted) <= MAX_NOTE_BYTES:
            with suppress(OSError):
                self._folder.write(entry_key(sha256, self._fingerprint) + NOTE, noted)

    def _refusal_name(self, sha256: str, name: str) -> str:
        """What the file of a refusal is called: brotli is decoded where a name says so."""
        as_brotli = "-br" if is_named_brotli(name) else ""
        return entry_key(sha256, self._fingerprint) + as_brotli + REFUSAL

    def _judge(self, sha256: str) -> str:
        return f"{__version__} {self._fingerprint} {sha256}"
