"""Variables for a guest that are not named one by one: those of a file, or all of this process."""

from collections.abc import Mapping
from pathlib import Path

from atectl.engine.wasi import parse_variable
from atectl.errors import BadEnvironment, quoted

_OURS = "ATECTL_"


def variables_in(path: str, inherited: Mapping[str, str]) -> list[str]:
    """The variables that a file sets, each as `NAME=VALUE`, in its order.

    A line is `NAME=VALUE`, or `NAME` for a variable of `inherited`. Nothing in it is quoted. Empty
    lines, and those that begin with `#`, are left out.

    Raises:
        BadEnvironment: the file cannot be read, is too large, or a line is none of that (exit 2).
    """
    # Few runs read such a file; the others should not pay for these imports.
    from atectl.records.files import text_of
    from atectl.records.reading import Fault

    try:
        text = text_of(Path(path))
    except Fault as fault:
        raise BadEnvironment(str(fault.at(file=path)), remedy="name a file of lines K=V") from None
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            found.append(_variable(entry, inherited))
        except BadEnvironment as error:
            raise BadEnvironment(f"{path}, line {number}: {error}", remedy=error.remedy) from None
    return found


def _variable(entry: str, inherited: Mapping[str, str]) -> str:
    if "\0" in entry:
        raise BadEnvironment("it holds a NUL character, which no variable can have", remedy=_LINES)
    name = entry.partition("=")[0]
    if len(name.split()) > 1:
        # `export A='x'`, say: a guest would miss A, and nobody would be told.
        raise BadEnvironment(f"{quoted(name)} is no name for a variable", remedy=_LINES)
    return "=".join(parse_variable(entry, inherited))


_LINES = "write each line as K=V, as it is: no shell reads it"


def passed_on(inherited: Mapping[str, str]) -> list[str]:
    """All variables of `inherited`, each as `NAME=VALUE`, but for two kinds.

    Those of atectl stay out, since they can hold passwords, and those that are not UTF-8, since
    no guest could be given them.
    """
    return [
        f"{name}={value}"
        for name, value in inherited.items()
        if not name.startswith(_OURS) and name and _is_utf8(f"{name}{value}")
    ]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
