"""Small images in a terminal."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.previews import ROWS, preview_for
from tests.photographs import GREEN, RED, photograph

TRUE_COLOUR = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def shown(image: Image.Image, **environment: str) -> str:
    preview = preview_for({"TERM": "xterm-256color"} | environment)
    assert preview is not None
    return preview(image)


def sent_to_kitty(sequence: str) -> tuple[list[str], Image.Image]:
    """The keys of each piece, and the image that the pieces make together."""
    assert sequence.endswith("\n")
    pieces = re.findall(r"\x1b_G([^;]*);([\w+/=]*)\x1b\\", sequence)
    assert "".join(f"\x1b_G{keys};{piece}\x1b\\" for keys, piece in pieces) == sequence[:-1]
    assert all(len(piece) <= 4096 for _, piece in pieces)
    content = base64.b64decode("".join(piece for _, piece in pieces))
    return [keys for keys, _ in pieces], Image.open(io.BytesIO(content))


def test_kitty_is_sent_a_png_in_pieces() -> None:
    keys, image = sent_to_kitty(shown(photograph(320, 240), TERM="xterm-kitty"))
    assert keys[0] == f"a=T,f=100,r={ROWS},q=2,m=1"
    assert set(keys[1:-1]) == {"m=1"}
    assert keys[-1] == "m=0"
    assert image.size == (320, 240)
    keys, image = sent_to_kitty(shown(Image.new("RGB", (9, 9), RED), KITTY_WINDOW_ID="1"))
    assert keys == [f"a=T,f=100,r={ROWS},q=2,m=0"]
    assert image.getpixel((4, 4)) == RED


@pytest.mark.parametrize("program", ["iTerm.app", "WezTerm"])
def test_iterm2_is_sent_a_file(program: str) -> None:
    told = shown(photograph(320, 240), TERM_PROGRAM=program)
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([\w+/=]*)\a\n", told)
    assert found is not None
    content = base64.b64decode(found[2])
    assert found[1].split(";") == [
        "inline=1",
        f"size={len(content)}",
        f"height={ROWS}",
        "preserveAspectRatio=1",
    ]
    assert Image.open(io.BytesIO(content)).size == (320, 240)


def test_half_blocks_are_two_pixels_each() -> None:
    image = Image.new("RGB", (3, 3), RED)
    image.paste(GREEN, (0, 1, 3, 2))
    red_on_green = "\x1b[38;2;255;0;0;48;2;0;128;0m▀"
    # The last line has nothing below it.
    red_on_black = "\x1b[38;2;255;0;0;48;2;0;0;0m▀"
    told = shown(image, **TRUE_COLOUR)
    assert told == 3 * red_on_green + "\x1b[0m\n" + 3 * red_on_black + "\x1b[0m\n"


@pytest.mark.parametrize(
    ("size", "columns", "lines"),
    [((320, 320), 16, 8), ((320, 160), 32, 8), ((320, 16), 40, 1), ((20, 320), 1, 8)],
)
def test_a_preview_keeps_its_shape_and_to_its_room(
    size: tuple[int, int], columns: int, lines: int
) -> None:
    told = shown(photograph(*size), **TRUE_COLOUR).splitlines()
    assert [line.count("▀") for line in told] == [columns] * lines


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_of_256_colours_the_nearest_is_taken(colour: tuple[int, int, int]) -> None:
    told = shown(Image.new("RGB", (1, 2), colour))
    found = re.fullmatch(r"\x1b\[38;5;(\d+);48;5;(\d+)m▀\x1b\[0m\n", told)
    assert found is not None
    assert found[1] == found[2]
    levels = np.array([0, 95, 135, 175, 215, 255])
    places = np.unravel_index(int(found[1]) - 16, (6, 6, 6))
    for value, place in zip(colour, places, strict=True):
        distances = np.abs(levels - value)
        assert distances[place] == distances.min()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TERM": "dumb", "COLORTERM": "truecolor"},
        {"TERM": "linux"},
        {"NO_COLOR": "1", **TRUE_COLOUR},
    ],
)
def test_some_terminals_show_none(environment: dict[str, str]) -> None:
    assert preview_for(environment) is None


@pytest.mark.parametrize("within", [{"TMUX": "/tmp/tmux"}, {"TERM": "screen-256color"}])
def test_what_lies_between_would_not_pass_images_on(within: dict[str, str]) -> None:
    asked = {"KITTY_WINDOW_ID": "1", "TERM_PROGRAM": "iTerm.app"} | within
    assert "▀" in shown(photograph(8, 8), **asked)
