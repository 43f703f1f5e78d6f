"""`atectl run` as Typer knows it: for help and completions, made from the table of options."""

from ..options.candidates import complete_label, complete_principal
from ..options.table_command import TableCommand
from ..options.typer_forms import typer_argument, typer_option
from .arguments import TABLE
from .running import run

_CANDIDATES = {"--principal": complete_principal, "--label": complete_label}

HELP = "\n\n".join(
    (
        "Run a capsule under a quota, charged to a principal.",
        "CAPSULE is a WebAssembly module or component, or the text form of either. Options may "
        "also follow it, by their long names. The first word after it that is not an option, and "
        "all words from there on or after --, go to the guest. With -- before CAPSULE, all words "
        "after it do. A first word for the guest that looks like a mistyped option is refused, "
        "unless it comes after --.",
        "Exit status: the guest's own, or 2 usage, 75 its actor's lock is busy, 124 deadline, "
        "125 atectl failed or the lock was lost, 126 not a capsule, 127 no such file, "
        "130 interrupted, 134 trapped, 137 over its quota, 143 terminated.",
    )
)


app = TableCommand(
    "run",
    TABLE,
    run,
    usage=("[OPTIONS]", "CAPSULE", "[ARGS]..."),
    params=[
        typer_argument("capsule", "CAPSULE"),
        typer_argument("args", "[ARGS]...", takes_all=True),
        *(typer_option(option, _CANDIDATES.get(option.name)) for option in TABLE.options),
    ],
    help=HELP,
    short_help="Run a capsule under a quota.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
