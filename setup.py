"""What pyproject.toml cannot say: the page that a package index shows.

It is README.md without what works in a clone alone: an index shows no picture of a file and follows
no link to one, and this project knows of no public place for them.
"""

import re
from pathlib import Path

from setuptools import setup

_PICTURE = re.compile(r"^!\[[^]]*\]\([^)]*\)\n\n?", re.MULTILINE)
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
_FILE_LINK = re.compile(r"\[([^]]*)\]\((?!https?://)[^)]*\)")


_WHERE = "\nThe pictures, and the pages that are named here, are in the source distribution.\n"


def index_page(readme: str) -> str:
    """The README with neither pictures nor links to files; the words of links stay."""
    return _FILE_LINK.sub(r"\1", _COMMENT.sub("", _PICTURE.sub("", readme))) + _WHERE


setup(
    long_description=index_page((Path(__file__).parent / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
