"""`atectl locks acl`: prints the ACL rules that users of the server need."""

import sys
from typing import Annotated

import typer

from atectl.locks.keys import DEFAULT_PREFIX

from ..options.single import OutputOption
from ..output.stdout import Output, print_json
from .options import PrefixOption


def acl(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The users are those of a cluster's nodes.")
    ] = False,
    prefix: PrefixOption = DEFAULT_PREFIX,
    output: OutputOption = Output.table,
) -> None:
    """Print the least that users need who read, hold or release locks, a line for each.

    A line is a command for redis-cli or valkey-cli. Write a password in place of PASSWORD. Each
    node of a cluster, and each server behind Sentinels, has to be told.
    """
    from atectl.locks.acl import acl_rules

    rules = acl_rules(prefix, is_cluster=cluster)
    if output is Output.json:
        print_json(rules)
    else:
        sys.stdout.writelines(f"{rule.line}\n" for rule in rules.rules)
