"""A headless browser, if one is installed: Chromium, by whatever name."""

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_BROWSER = next(filter(None, map(shutil.which, _NAMES)), None)
_PNG_HEADER_BYTES = 8

needs_browser = pytest.mark.skipif(_BROWSER is None, reason="no Chromium is installed")


def document_of(url: str) -> str:
    """The document as the browser has it, once the page is loaded."""
    return _browse("--dump-dom", url)


def corner_of(url: str, folder: Path, *, width: int, is_dark: bool) -> tuple[int, int, int]:
    """Red, green and blue of the pixel at the top left of the page, from 0 to 255."""
    picture = folder / "page.png"
    _browse(
        f"--screenshot={picture}",
        f"--window-size={width},700",
        *(["--blink-settings=preferredColorScheme=0"] if is_dark else []),
        url,
    )
    # The first pixel is stored as it is, by whatever filter its row is stored.
    first = zlib.decompress(_image_data(picture.read_bytes()))[1:4]
    return first[0], first[1], first[2]


def draw(url: str, place: Path, size: tuple[int, int]) -> None:
    """Draw the page as a PNG of so many pixels, across and down."""
    _browse(f"--screenshot={place}", f"--window-size={size[0]},{size[1]}", url)


def _browse(*words: str) -> str:
    assert _BROWSER is not None
    usual = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    ended = subprocess.run(
        [_BROWSER, *usual, *words], capture_output=True, text=True, timeout=100, check=True
    )
    return ended.stdout


def _image_data(png: bytes) -> bytes:
    """The compressed rows of a picture."""
    at, found = _PNG_HEADER_BYTES, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            found += png[at + 8 : at + 8 + size]
        at += size + 12
    return found
