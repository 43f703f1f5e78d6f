"""The places where shells look for completion files: writing them, and checking them."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from atectl.errors import CompletionsDiffer, CompletionsUnwritable


class Shell(StrEnum):
    """The shells that atectl completes in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


FILE_NAMES = {Shell.bash: "atectl.bash", Shell.zsh: "_atectl", Shell.fish: "atectl.fish"}
"""The names of the files in the folders where packages install them."""

OWN_MARK = b"written by `atectl completions show"
"""What stands at the head of each completion file, whichever version wrote it."""


def user_file(shell: Shell) -> Path:
    """The file in which `shell` looks for this user's completion of atectl."""
    match shell:
        case Shell.bash:
            own = os.environ.get("BASH_COMPLETION_USER_DIR", "").split(":", 1)[0]
            base = Path(own) if own else _home("XDG_DATA_HOME", ".local/share") / "bash-completion"
            # bash-completion has looked for the bare name in all its versions.
            return base / "completions" / "atectl"
        case Shell.zsh:
            return _home("XDG_DATA_HOME", ".local/share") / "zsh" / "site-functions" / "_atectl"
        case Shell.fish:
            return _home("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / "atectl.fish"


def install(path: Path, script: str) -> bool:
    """Write `script` to `path`, whole or not at all.

    A symbolic link stays one: the file that it points to is replaced.

    Returns:
        Whether the file was not there, or was different.

    Raises:
        CompletionsUnwritable: the folder or the file cannot be written (exit 125).
    """
    # Every TAB imports this module, and would take as long as this import more.
    from atectl.system.files import replace_file

    try:
        target = path.resolve()
        if target.exists() and target.read_bytes() == script.encode():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, script)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CompletionsUnwritable(f"cannot write {path}: {reason}") from None
    return True


def uninstall(path: Path) -> bool:
    """Remove what `install` wrote to `path`; of a symbolic link, the link alone.

    Returns:
        Whether it was there. A file that is not of atectl is left alone.

    Raises:
        CompletionsUnwritable: it cannot be removed (exit 125).
    """
    try:
        if not path.is_file() or OWN_MARK not in path.read_bytes():
            return False
        path.unlink()
    except OSError as error:
        raise CompletionsUnwritable(f"cannot remove {path}: {error.strerror}") from None
    return True


def check(folder: Path, scripts: Mapping[Shell, str]) -> None:
    """Check that `folder` has these scripts, unchanged.

    Raises:
        CompletionsDiffer: a file is missing, unreadable or different (exit 1).
    """
    for shell, script in scripts.items():
        path = folder / FILE_NAMES[shell]
        fault = _fault(path, script)
        if fault:
            remedy = f"write it again: `atectl completions show {shell} > {path}`"
            raise CompletionsDiffer(f"{path} {fault}", remedy=remedy)


def _fault(path: Path, script: str) -> str | None:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found == script.encode():
        return None
    lines = zip(found.splitlines(), script.encode().splitlines(), strict=False)
    same = 0
    for theirs, ours in lines:
        if theirs != ours:
            break
        same += 1
    return f"differs from what this atectl writes, from line {same + 1} on"


def _home(variable: str, fallback: str) -> Path:
    # The XDG Base Directory Specification says to ignore relative paths.
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / fallback
