"""Which option a mistyped word was to be."""

from collections.abc import Iterable

_MOST_NAME = 40
"""How long a word can be that is a mistyped name of an option."""
_LEAST_FOR_TWO = 10
"""How long a name is, with its dashes, from which on two letters may be wrong in it."""
_LEAST_BEGUN = 7
"""How long a name is, with its dashes, that a longer word may begin with by mistake."""


def mistaken(word: str, known: Iterable[str]) -> str | None:
    """The option whose mistyped name a word looks like; None if there is none.

    Its capitals and underscores count as slips, too.
    """
    given = word.partition("=")[0].lower().replace("_", "-")
    if len(given) > _MOST_NAME:
        return None
    names = [name for name in known if name.startswith("--")]
    slips = [name for name in names if _is_slip(given, name)]
    return min(slips, key=lambda name: _edits(given, name), default=None)


def _is_slip(word: str, name: str) -> bool:
    """Whether `word` is what a slip of the hand makes of `name`, which is longer than a letter."""
    if abs(len(word) - len(name)) > 2:
        return len(name) >= _LEAST_BEGUN and word.startswith(name)
    return _edits(word, name) <= (1 if len(name) < _LEAST_FOR_TWO else 2)


def _edits(word: str, name: str) -> int:
    """How many letters to add, drop, change or swap with the next, to make `name` of `word`."""
    before: list[int] = []
    row = list(range(len(name) + 1))
    for place, letter in enumerate(word):
        earlier, before, row = before, row, [place + 1]
        for at, other in enumerate(name):
            edits = min(before[at] + (letter != other), before[at + 1] + 1, row[at] + 1)
            is_exchange = at and place and letter == name[at - 1] and other == word[place - 1]
            row.append(min(edits, earlier[at - 1] + 1) if is_exchange else edits)
    return row[-1]
