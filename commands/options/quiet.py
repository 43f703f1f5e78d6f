"""The option for silence. `run` reads it, so that nothing here may import much."""

from .table import Option

QUIET = Option("--quiet", "", "Say nothing on stderr but errors.", short="-q")
