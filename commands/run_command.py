"""`atectl run` as Typer knows it: for help and completions, made from the table of options."""

from typing import Any

import typer
from typer._click import Context
from typer.core import TyperArgument, TyperCommand, TyperOption

from .completing import complete_label, complete_principal
from .run import run
from .run_arguments import OPTIONS, Option

_CANDIDATES = {"--principal": complete_principal, "--label": complete_label}

HELP = "\n\n".join(
    (
        "Run a capsule under a quota, charged to a principal.",
        "CAPSULE is a WebAssembly module or component, or the text form of either. Behind it, "
        "options are taken until the first word that is none of them; from there on, and after "
        "--, all is the guest's.",
        "Exit status: the guest's own, or 2 usage, 75 its actor's lock is busy, 124 deadline, "
        "125 atectl failed or the lock was lost, 126 no capsule, 127 no such file, "
        "130 interrupted, 134 trapped, 137 over its quota, 143 terminated.",
    )
)


class RunCommand(TyperCommand):
    """Leaves the words to `run`, which has a grammar of its own."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing or args in (["--help"], ["-h"]):
            return super().parse_args(ctx, args)
        ctx.args = list(args)
        return ctx.args

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return ["[OPTIONS]", "CAPSULE", "[ARGS]..."]

    def invoke(self, ctx: Context) -> Any:
        return run(ctx.args)


def _option(option: Option) -> TyperOption:
    return TyperOption(
        param_decls=[option.name],
        type=str if option.metavar else bool,
        is_flag=not option.metavar,
        metavar=option.metavar or None,
        multiple=option.repeatable,
        default=option.default or None,
        show_default=bool(option.default),
        help=option.help,
        autocompletion=typer.main.get_param_completion(_CANDIDATES.get(option.name)),
    )


app = RunCommand(
    "run",
    params=[
        TyperArgument(param_decls=["capsule"], metavar="CAPSULE", required=True),
        TyperArgument(param_decls=["args"], metavar="[ARGS]...", nargs=-1, required=False),
        *(_option(option) for option in OPTIONS),
    ],
    help=HELP,
    short_help="Run a capsule under a quota.",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
