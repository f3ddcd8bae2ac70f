"""Small images in a terminal, as well as it can show them.

Three ways, told apart by what the terminal says of itself in its environment, since one that is
asked and does not know the question writes its puzzlement onto the screen:

- kitty's graphics protocol (kitty, Ghostty),
- iTerm2's inline images (iTerm2, WezTerm),
- otherwise half-blocks ``▀``, of which each is two pixels, where there are 256 colours or more.

tmux and screen pass the first two on only where they are told to, so there it is half-blocks.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping

from PIL import Image

# Lines that a preview takes; of half-blocks each is two pixels high.
ROWS = 8
# Where an image itself is sent: enough for lines of 40 pixels, on a screen with small dots.
_SENT_HEIGHT = 40 * ROWS
_MOST_COLUMNS = 40
# Of kitty: base64 comes in pieces of so many bytes at most.
_PIECE = 4096
_KITTY = ("xterm-kitty", "xterm-ghostty")
# Of how bright red, green and blue are in 256 colours, by number, the nearest to each of ours.
_LEVELS = (0, 95, 135, 175, 215, 255)
_NEAREST = [min(range(6), key=lambda step: abs(_LEVELS[step] - value)) for value in range(256)]
_LIKE_ITERM2 = ("iTerm.app", "WezTerm")

# What draws an image, in ``RGB``: escape sequences that leave the cursor in the line below it.
Preview = Callable[[Image.Image], str]


def preview_for(environment: Mapping[str, str]) -> Preview | None:
    """How a terminal shows images; None where it shows none.

    Args:
        environment: the variables of a process that runs in it.
    """
    terminal = environment.get("TERM", "")
    within = "TMUX" in environment or terminal.startswith(("screen", "tmux"))
    if terminal in ("", "dumb"):
        return None
    if not within and (terminal in _KITTY or "KITTY_WINDOW_ID" in environment):
        return _by_kitty
    if not within and environment.get("TERM_PROGRAM") in _LIKE_ITERM2:
        return _by_iterm2
    if environment.get("NO_COLOR"):
        return None
    if environment.get("COLORTERM") in ("truecolor", "24bit"):
        return lambda image: _in_blocks(image, _exact)
    return (lambda image: _in_blocks(image, _of_256)) if "256color" in terminal else None


def _by_kitty(image: Image.Image) -> str:
    content = base64.b64encode(_png(image)).decode()
    pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)]
    # Shown at once (a=T), a PNG (f=100), so many lines high; the terminal is to answer nothing.
    keys = [f"a=T,f=100,r={ROWS},q=2,", *[""] * (len(pieces) - 1)]
    more = [1] * (len(pieces) - 1) + [0]
    sent = zip(keys, more, pieces, strict=True)
    return "".join(f"\x1b_G{key}m={m};{piece}\x1b\\" for key, m, piece in sent) + "\n"


def _by_iterm2(image: Image.Image) -> str:
    content = _png(image)
    options = f"inline=1;size={len(content)};height={ROWS};preserveAspectRatio=1"
    return f"\x1b]1337;File={options}:{base64.b64encode(content).decode()}\a\n"


def _png(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((4 * _SENT_HEIGHT, _SENT_HEIGHT))
    output = io.BytesIO()
    small.save(output, "PNG")
    return output.getvalue()


def _in_blocks(image: Image.Image, colour: Callable[[tuple[int, ...]], str]) -> str:
    """Two pixels a letter: the upper in the colour of the letter, the lower in the one behind."""
    small = image.copy()
    small.thumbnail((_MOST_COLUMNS, 2 * ROWS))
    even = Image.new("RGB", (small.width, small.height + small.height % 2))
    even.paste(small)
    return "".join(_lines(even, colour))


def _lines(image: Image.Image, colour: Callable[[tuple[int, ...]], str]) -> Iterator[str]:
    pixels = image.tobytes()
    width = 3 * image.width
    for top in range(0, len(pixels), 2 * width):
        for at in range(top, top + width, 3):
            upper, lower = pixels[at : at + 3], pixels[at + width : at + width + 3]
            yield f"\x1b[38;{colour(tuple(upper))};48;{colour(tuple(lower))}m▀"
        yield "\x1b[0m\n"


def _exact(pixel: tuple[int, ...]) -> str:
    return "2;" + ";".join(map(str, pixel))


def _of_256(pixel: tuple[int, ...]) -> str:
    """The nearest of the 6 by 6 by 6 colours that terminals of 256 have from number 16 on."""
    red, green, blue = (_NEAREST[value] for value in pixel)
    return f"5;{16 + 36 * red + 6 * green + blue}"
