"""Images that somebody sends: what is taken, and what a few bytes of them may cost."""

from __future__ import annotations

import asyncio
import errno
import io
import struct
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serving.app import App
from serving.found import Found
from tests.serving.conftest import Make, ask, error_of

ROOT = Path(__file__).resolve().parents[2]


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: int = 1) -> bytes:
    """A PNG that declares a size, with so many rows of black in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    channels = {0: 1, 2: 3, 6: 4}[colour]
    row = bytes(1 + width * channels * depth // 8)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packed = zlib.compressobj(9)
    data = b"".join(packed.compress(row) for _ in range(rows)) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp(width: int, height: int) -> bytes:
    """34 bytes that declare a size: a lossless frame without any pixel."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(9)
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def webp_canvas(width: int, height: int) -> bytes:
    """An animation's canvas, without a frame."""
    data = b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    animation = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    chunk = b"VP8X" + struct.pack("<I", len(data)) + data + animation
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def gif(width: int, height: int) -> bytes:
    small = io.BytesIO()
    Image.new("P", (1, 1)).save(small, "GIF")
    body = bytearray(small.getvalue())
    body[6:10] = struct.pack("<HH", width, height)
    return bytes(body)


def drawn(kind: str, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    output = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(output, kind, **options)
    return output.getvalue()


BOMBS = {
    "webp": webp(16_000, 15_990),
    "canvas": webp_canvas(16_000, 15_990),
    "gif": gif(65_000, 3_900),
    "png-16": png(16_000, 16_000, depth=16, colour=0),
    "strip": png(255_999_999, 1),
    "tower": png(1, 255_999_999),
    "huge": png(100_000, 100_000),
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 4_000, 1, 24, *[0] * 6),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(make: Make, name: str) -> None:
    response = ask(
        make(max_pixels=12_000_000), "POST", "/search_by_image", files={"image": BOMBS[name]}
    )
    assert response.status_code in (400, 413)
    error_of(response)


@pytest.mark.slow
def test_no_bomb_takes_more_than_200_mb(tiny_bundle: Path, tmp_path: Path) -> None:
    """Nor does the largest image that is taken, in any format."""
    for name, content in BOMBS.items():
        (tmp_path / name).write_bytes(content)
    photograph = Image.linear_gradient("L").resize((4032, 3024)).convert("RGB")
    for kind in ("PNG", "GIF", "JPEG", "AVIF"):
        photograph.save(tmp_path / f"taken.{kind}", kind)
    photograph.save(tmp_path / "too-large.webp")
    photograph.crop((0, 0, 2800, 2200)).save(tmp_path / "taken.webp")
    photograph.putalpha(100)
    photograph.save(tmp_path / "taken-transparent.png")
    photograph = photograph.convert("RGB")
    photograph.save(tmp_path / "taken-progressive.jpg", progressive=True, quality=95)
    photograph.save(tmp_path / "taken.tiff", compression="tiff_lzw")
    photograph.crop((0, 0, 2500, 2500)).save(tmp_path / "taken.bmp")
    photograph.crop((0, 0, 2800, 2200)).save(tmp_path / "taken-lossless.webp", lossless=True)
    grey = Image.fromarray(np.full((3024, 4032), 40_000, dtype=np.uint16))
    grey.save(tmp_path / "taken-16.png")
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path

        from models.bundle import Bundle
        from serving.app import create_app
        from serving.settings import Settings
        from tests.serving.conftest import ask

        def peak() -> int:
            lines = Path("/proc/self/status").read_text().splitlines()
            [line] = [line for line in lines if line.startswith("VmHWM")]
            return int(line.split()[1]) // 1024

        app = create_app(Settings(max_pixels=12_400_000), Bundle.open(Path(sys.argv[1])))
        before = peak()
        for image in sorted(Path(sys.argv[2]).iterdir()):
            answer = ask(app, "POST", "/search_by_image", files={"image": image.read_bytes()})
            assert (answer.status_code == 200) == image.name.startswith("taken"), answer.text
            assert peak() - before < 200, f"{image.name}: {peak() - before} MB"
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tiny_bundle), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_what_people_have_is_taken(app: App, kind: str) -> None:
    response = ask(app, "POST", "/search_by_image", files={"image": drawn(kind)})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("kind", ["EPS", "PPM", "ICO", "PCX", "TGA", "PDF"])
def test_what_nobody_sends_in_good_faith_is_not(app: App, kind: str) -> None:
    response = ask(app, "POST", "/search_by_image", files={"image": drawn(kind)})
    assert response.status_code == 400
    assert error_of(response)["field"] == "image"


def test_a_large_photograph_is_taken_since_it_is_decoded_at_a_fraction(make: Make) -> None:
    app = make(max_pixels=200_000)
    large = drawn("JPEG", (800, 800))
    assert ask(app, "POST", "/search_by_image", files={"image": large}).status_code == 200
    assert (
        ask(app, "POST", "/search_by_image", files={"image": drawn("PNG", (800, 800))}).status_code
        == 413
    )


def test_a_full_disk_is_507(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def full(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", full)
    response = ask(app, "POST", "/search_by_image", files={"image": bytes(3 << 20)})
    assert response.status_code == 507
    error_of(response)


def test_images_that_wait_for_their_turn_are_not_in_memory(app: App) -> None:
    """Sixteen of 20 MB each would be more than a small container has."""
    image = drawn("PNG")
    first, go = threading.Event(), threading.Event()
    read: list[int] = []

    def reader(number: int) -> Callable[[], bytes]:
        def content() -> bytes:
            read.append(number)
            first.set()
            assert go.wait(10)
            return image

        return content

    async def crowd() -> list[Found]:
        with app.state.engine() as engine:
            asked = [asyncio.ensure_future(engine.search_by_image(reader(n))) for n in range(5)]
            await asyncio.to_thread(first.wait, 10)
            await asyncio.sleep(0.05)
            assert read == [0]
            go.set()
            return await asyncio.gather(*asked)

    answers = asyncio.run(crowd())
    assert read == [0, 1, 2, 3, 4]
    assert len({answer.hits[0].item.id for answer in answers}) == 1
