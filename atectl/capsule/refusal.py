"""Why a capsule is not run, in a form that can be stored and sent to another process."""

from typing import NamedTuple

from atectl.capsule.errors import CompileMemory, CompileTime, ExtraMissing
from atectl.capsule.limits import CompileLimits
from atectl.capsule.records import escape, unescape
from atectl.errors import AtectlError, CapsuleError, NoEntryPoint


class Refusal(NamedTuple):
    """Why the content of a capsule is not run.

    `said` is the message without the name of the file, which it begins with. `limit` is the limit
    that was too low, in bytes or seconds; 0 if the reason is not a limit. If it `is_certain`, the
    next attempt would end the same way.
    """

    code: str
    said: str
    remedy: str
    limit: float = 0.0
    is_certain: bool = True

    @classmethod
    def of(cls, error: AtectlError, name: str) -> "Refusal":
        """The refusal of an error, whose message begins with the file's name."""
        # Without an entry point it may yet be compiled for who calls an export by name.
        is_certain = isinstance(error, CapsuleError) and not isinstance(error, NoEntryPoint)
        said = str(error).removeprefix(name)
        return cls(error.code, said, error.remedy, is_certain=is_certain)

    def error(self, name: str) -> AtectlError:
        """The error to raise for the file of this name."""
        kinds: tuple[type[AtectlError], ...] = (*CapsuleError.__subclasses__(), ExtraMissing)
        [kind] = (each for each in kinds if each.code == self.code)
        return kind(f"{name}{self.said}", remedy=self.remedy)

    def holds_under(self, limits: CompileLimits) -> bool:
        """Whether a compilation under these limits would end the same way."""
        if self.code == CompileMemory.code:
            return (limits.settled().memory_bytes or 0) <= self.limit
        if self.code == CompileTime.code:
            return limits.deadline_s <= self.limit
        return True

    def record(self) -> dict[str, str]:
        """The refusal as named lines."""
        return {
            "code": self.code,
            "said": escape(self.said),
            "remedy": escape(self.remedy),
            "limit": repr(self.limit),
            "certain": "yes" if self.is_certain else "no",
        }

    @classmethod
    def read(cls, record: dict[str, str]) -> "Refusal":
        """The refusal that `record` was made from."""
        return cls(
            record["code"],
            unescape(record["said"]),
            unescape(record["remedy"]),
            float(record["limit"]),
            record["certain"] == "yes",
        )
