"""Real shells in a pseudo-terminal, asked what TAB would do."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pexpect
import pytest

from tests.support.waiting import SOON_S

ALL, SHOW, CLEAR = "\x07", "\x14", "\x15"
"""Keys: show all that is offered, show the line as it stands, begin anew."""

_BASH = r"""
PS1= PS2= HISTFILE=
bind 'set bell-style none' 'set page-completions off' 2>/dev/null
bind 'set completion-query-items 0'
bind 'set enable-bracketed-paste off'
bind '"\C-g": insert-completions'
bind -x '"\C-t": printf "\nLINE<%s>\n" "$READLINE_LINE"'
"""

_ZSH = r"""
PS1= PS2= PROMPT= RPROMPT= HISTFILE= LISTMAX=1000
unsetopt beep list_beep always_last_prompt prompt_sp prompt_cr zle_bracketed_paste
fpath=({folder} $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' verbose no
zstyle ':completion:*' list-colors
show-offers() {{ zle -I; print OFFERS; zle list-choices }}
show-line() {{ zle -I; print -r -- "LINE<$BUFFER>" }}
zle -N show-offers
zle -N show-line
bindkey -e
bindkey '^G' show-offers '^T' show-line '^U' kill-whole-line
"""


class ShellUnderTest(Protocol):
    """A shell that has loaded the checked-in completion file."""

    def offers(self, line: str) -> list[str]:
        """The words that TAB at the end of `line` offers."""

    def close(self) -> None: ...


class Terminal:
    """A shell in a pseudo-terminal."""

    def __init__(
        self, command: list[str], set_up: str, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.process = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(folder),
            env=dict(environment),
            encoding="utf-8",
            timeout=SOON_S,
            dimensions=(200, 250),
            echo=False,
        )
        script = Path(environment["HOME"]) / "set-up"
        script.write_text(set_up)
        self.process.sendline(f"source {script}; printf 'rea%s\\n' dy")
        self.process.expect("ready\r?\n")

    def completed(self, line: str) -> str:
        """The line after TAB."""
        return self._type(line + "\t")[1]

    def _type(self, keys: str) -> tuple[str, str]:
        self.process.send(keys + SHOW)
        self.process.expect(r"LINE<([^\r\n]*)>\r?\n")
        shown, line = self.process.before, self.process.match[1]
        self.process.send(CLEAR)
        assert isinstance(shown, str)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown), line

    def close(self) -> None:
        self.process.close(force=True)


class Bash(Terminal):
    """bash, which puts all that it offers on the line, each word quoted."""

    def offers(self, line: str) -> list[str]:
        _, filled = self._type(line + ALL)
        if filled == line:
            return []
        typed = shlex.split(line)
        complete = typed if line.endswith(" ") else typed[:-1]
        return [_value(word) for word in shlex.split(filled)[len(complete) :]]


class Zsh(Terminal):
    """zsh, which lists what it offers."""

    def offers(self, line: str) -> list[str]:
        shown, _ = self._type(line + ALL)
        # The line itself is drawn again behind the list, and the one before it ahead.
        return shown.rpartition("OFFERS")[2].replace(line.rstrip(), " ").split()


class Fish:
    """fish, which tells by `complete -C`; its file is where `completions install` puts it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def offers(self, line: str) -> list[str]:
        ran = subprocess.run(
            ["fish", "--private", "-c", "complete -C $argv[1]", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=SOON_S,
        )
        assert ran.stderr == ""
        return [_value(offer.split("\t")[0]) for offer in ran.stdout.splitlines()]

    def close(self) -> None:
        """Nothing runs between two questions."""


def _value(word: str) -> str:
    """The value in a word of the form --option=value; any other word as it is."""
    return re.sub("^--[a-z-]+=", "", word)


def open_shell(
    name: str, files: Path, folder: Path, environment: Mapping[str, str]
) -> ShellUnderTest:
    """The shell `name` in `folder`, with its completion file of those in `files` loaded."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    if name == "fish":
        place = Path(environment["HOME"]) / ".config" / "fish" / "completions"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(files / "atectl.fish", place)
        return Fish(folder, environment)
    if name == "bash":
        set_up = f"{_BASH}\nsource {files / 'atectl.bash'}"
        return Bash([program, "--norc", "--noprofile", "-i"], set_up, folder, environment)
    return Zsh([program, "-f", "-i"], _ZSH.format(folder=files), folder, environment)


def plain_environment(home: Path, programs: Path) -> dict[str, str]:
    """An environment with its own home, where the folder `programs` comes first."""
    return {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }
