"""The colours of all that is drawn, as styles of Rich. No view names a colour of its own.

The background is not known: it may be white, black, or a theme's. No colour is readable as text
on all of them, so words keep the terminal's own, and are never faint. What somebody has to look at
has a background of its own. These are colours 16 to 255, which themes leave as they are; with fewer
colours Rich takes the nearest.
"""

HEADING = "bold"
"""A title, the names of columns, a key, and what is to be seen first in a line."""

WARNING = "bold color(16) on color(178)"
"""Words about what may need somebody: black on amber."""

ALARM = "bold color(231) on color(160)"
"""Words about what went wrong: white on red."""

# What is drawn, not written, stands out from white and from black alike.
ROOM = "color(28)"
"""A share that leaves room: green."""

NEAR = "color(166)"
"""A share that comes near a limit, and the line of a soft limit: orange."""

FULL = "color(196)"
"""A share that leaves no room, and the line of a limit: red."""

REST = "dim"
"""The empty part of a bar: no word is in it."""

KINDS = ("color(30)", "color(33)", "color(163)", "color(169)")
"""What is to be told apart, not judged: teal, blue, purple, pink. A sign or a word does so, too."""
