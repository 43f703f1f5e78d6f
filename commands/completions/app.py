"""`atectl completions`: the files with which TAB completes atectl in bash, zsh and fish."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from atectl.errors import UsageError
from atectl.inert import inert_line

from ..options.help import CommandGroup
from ..options.tree import find_parameter, read_tree
from . import places as completion_files
from .candidates import print_typable
from .places import Shell

app = CommandGroup(no_args_is_help=True)

ShellArgument = Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]

_STILL_NEEDED = {
    Shell.bash: "new shells complete atectl if they load the bash-completion package",
    Shell.zsh: "add this line to your .zshrc, before compinit: fpath=({folder} $fpath)",
    Shell.fish: "fish completes atectl from now on",
}


@app.callback()
def completions() -> None:
    """Complete commands with TAB in bash, zsh and fish."""


@app.command()
def show(shell: ShellArgument) -> None:
    """Print the completion file for a shell."""
    sys.stdout.write(write_script(shell))


@app.command()
def install(
    shell: Annotated[
        Shell | None,
        typer.Argument(
            metavar="[SHELL]",
            help="bash, zsh or fish.",
            show_default="the shell in $SHELL",
        ),
    ] = None,
) -> None:
    """Install the completion file for this user."""
    shell = shell or _login_shell()
    path = completion_files.user_file(shell)
    changed = completion_files.install(path, write_script(shell))
    print(f"{'wrote' if changed else 'already up to date:'} {inert_line(str(path))}")
    print(_STILL_NEEDED[shell].format(folder=inert_line(str(path.parent))))


@app.command()
def uninstall(
    shell: Annotated[
        Shell | None,
        typer.Argument(metavar="[SHELL]", help="bash, zsh or fish.", show_default="all of them"),
    ] = None,
) -> None:
    """Remove the completion files of this user."""
    for each in [shell] if shell else Shell:
        path = completion_files.user_file(each)
        did = "removed" if completion_files.uninstall(path) else "not there:"
        print(f"{did} {inert_line(str(path))}")


@app.command()
def check(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", file_okay=False, help="The folder with the three files."),
    ],
) -> None:
    """Check that the completion files in a folder are up to date."""
    completion_files.check(folder, {shell: write_script(shell) for shell in Shell})


@app.command(hidden=True)
def candidates(
    command: str, parameter: str, incomplete: str, ledger: Annotated[str, typer.Option()] = ""
) -> None:
    """Print the possible values of a parameter, one on each line. The completion files call it."""
    if ledger:
        os.environ["ATECTL_LEDGER"] = ledger
    ctx, found = find_parameter(command.split(), parameter)
    print_typable([item.value for item in found.shell_complete(ctx, incomplete)])


def write_script(shell: Shell) -> str:
    """The completion file for `shell`, made from the commands."""
    tree = read_tree()
    match shell:
        case Shell.bash:
            from .bash import script
        case Shell.zsh:
            from .zsh import script
        case Shell.fish:
            from .fish import script
    return script(tree)


def _login_shell() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in list(Shell):
        raise UsageError(
            f"no completions for the shell {name!r}" if name else "SHELL names no shell",
            remedy="say which: `atectl completions install bash`, `… zsh` or `… fish`",
        )
    return Shell(name)
