"""The fixed text of the completion files: the files in the folder `templates`.

Each is a script of its shell. A line `#@ NAME` in it is a comment to the shell, and a place to
fill: what is made from the commands is written there.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "templates"


def fill(template: str, **places: str) -> str:
    """The text of a template, with each of its places replaced by whole lines.

    Args:
        template: its file name.
        places: the text for each place by its name; every place has to be given, and no other.
    """
    filled = []
    left = dict(places)
    for line in (FOLDER / template).read_text(encoding="utf-8").splitlines(keepends=True):
        is_place = line.lstrip().startswith("#@ ")
        filled.append(left.pop(line.split()[1]) if is_place else line)
    if left:
        raise KeyError(f"{template} has no place for {', '.join(left)}")
    return "".join(filled)
