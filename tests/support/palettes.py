"""The colours of terminals that are much used, and how well text can be read in them."""

from typing import NamedTuple

from tests.support.cells import Cell

READABLE = 4.5
"""The contrast that words need, by the Web Content Accessibility Guidelines."""

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class Palette(NamedTuple):
    """What a terminal draws with; each colour is six hexadecimal digits."""

    name: str
    foreground: str
    background: str
    colours: dict[str, str]

    def colour(self, name: str, default: str) -> str:
        """The digits of a colour that a program asks for."""
        if name == "default":
            return default
        return self.colours.get(name, name)


def _palette(name: str, foreground: str, background: str, colours: str) -> Palette:
    names = [*_NAMES, *(f"bright{each}" for each in _NAMES)]
    return Palette(name, foreground, background, dict(zip(names, colours.split(), strict=True)))


_XTERM = (
    "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff"
)
_GNOME = (
    "171421 c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc "
    "5e5c64 f66151 33da7a e9ad0c 2a7bde c061cb 33c7de ffffff"
)
_SOLARIZED = (
    "073642 dc322f 859900 b58900 268bd2 d33682 2aa198 eee8d5 "
    "002b36 cb4b16 586e75 657b83 839496 6c71c4 93a1a1 fdf6e3"
)
_CAMPBELL = (
    "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc "
    "767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2"
)
_ONE_HALF_LIGHT = (
    "383a42 e45649 50a14f c18301 0184bc a626a4 0997b3 fafafa "
    "4f525d df6c75 98c379 e4c07a 61afef c577dd 56b5c1 ffffff"
)

LIGHT = _palette("xterm, light", "000000", "ffffff", _XTERM)
DARK = _palette("xterm, dark", "ffffff", "000000", _XTERM)
PALETTES = (
    LIGHT,
    DARK,
    _palette("GNOME, light", "171421", "ffffff", _GNOME),
    _palette("GNOME, dark", "d0cfcc", "171421", _GNOME),
    _palette("Solarized, light", "657b83", "fdf6e3", _SOLARIZED),
    _palette("Solarized, dark", "839496", "002b36", _SOLARIZED),
    _palette("Windows Terminal, dark", "cccccc", "0c0c0c", _CAMPBELL),
    _palette("Windows Terminal, light", "383a42", "fafafa", _ONE_HALF_LIGHT),
)


def drawn(cell: Cell, palette: Palette) -> tuple[str, str]:
    """The colours of its text and of what is behind it, as six hexadecimal digits each."""
    foreground = palette.colour(cell.foreground, palette.foreground)
    background = palette.colour(cell.background, palette.background)
    if cell.is_reverse:
        foreground, background = background, foreground
    if cell.is_faint:
        foreground = _between(foreground, background)
    return foreground, background


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def needed(palette: Palette) -> float:
    """The contrast for words: that of the terminal's own text, where its user chose less."""
    return min(READABLE, contrast(palette.foreground, palette.background))


def _between(foreground: str, background: str) -> str:
    """The colour half way: what several terminals make of faint text."""
    pairs = zip(_parts(foreground), _parts(background), strict=True)
    return "".join(f"{(one + other) // 2:02x}" for one, other in pairs)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue
