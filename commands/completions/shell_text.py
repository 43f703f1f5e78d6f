"""The shell text that does not depend on the commands: the files in the folder `templates`.

Each is a program of its shell. A line `#@ NAME` in it, a comment to the shell, is a place: what is
made from the commands is put there.
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
