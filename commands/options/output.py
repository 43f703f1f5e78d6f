"""The option for the form of a result, which every listing has."""

from typing import Annotated

import typer

from ..output.stdout import Output

OutputOption = Annotated[Output, typer.Option("-o", "--output", help="Table or JSON.")]
