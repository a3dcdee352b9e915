"""Draws, synthesises and encodes the files beside it: `python -m examples.media.make` in the root of the project.

The same versions of the libraries give the same bytes. Only the speech needs another program, espeak-ng; without it
speech.wav is left as it is.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from hfdemo.media import decode_audio, encode_wav

HERE = Path(__file__).parent
RATE = 16_000
SENTENCE = "Good morning! The tea is ready, and the cat is waiting by the window."

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


def hex_colour(text: str) -> Colour:
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def curve(points: Sequence[Point], closed: bool = True, steps: int = 16) -> list[Point]:
    """Return a smooth line through `points` (Catmull-Rom)."""
    around = [points[-1], *points, *points[:2]] if closed else [points[0], *points, points[-1]]
    found = []
    for p0, p1, p2, p3 in zip(around, around[1:], around[2:], around[3:], strict=False):
        for t in (step / steps for step in range(steps)):
            x, y = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            found.append((x, y))
    return found if closed else [*found, points[-1]]


class Canvas:
    """A picture in units of its own, drawn `scale` times larger than it will be seen, so that edges come out smooth."""

    def __init__(self, width: int, height: int, colour: str, scale: int = 4) -> None:
        self.scale = scale
        self.image = Image.new("RGB", (width * scale, height * scale), hex_colour(colour))

    def shape(
        self, points: Sequence[Point], colour: str, to: str | None = None, across: bool = False, opacity: float = 1
    ) -> None:
        """Draw a filled polygon; `to` makes it a gradient from top to bottom, or from left to right with `across`."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon([self._at(point) for point in points], fill=round(255 * opacity))
        self._paint(mask, colour, to, across)

    def ellipse(
        self, box: Box, colour: str, to: str | None = None, across: bool = False, opacity: float = 1, blur: float = 0
    ) -> None:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).ellipse([n * self.scale for n in box], fill=round(255 * opacity))
        if blur:
            # Blurred small: the same softness for a sixteenth of the work.
            small = mask.resize((mask.width // 4, mask.height // 4)).filter(
                ImageFilter.GaussianBlur(blur * self.scale / 4)
            )
            mask = small.resize(mask.size, Image.Resampling.BICUBIC)
        self._paint(mask, colour, to, across)

    def box(self, box: Box, colour: str, to: str | None = None, across: bool = False, radius: float = 0) -> None:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).rounded_rectangle([n * self.scale for n in box], radius * self.scale, fill=255)
        self._paint(mask, colour, to, across)

    def line(self, points: Sequence[Point], colour: str, width: float, opacity: float = 1) -> None:
        """Draw a line with round ends and joints."""
        mask = Image.new("L", self.image.size)
        draw, fill, radius = ImageDraw.Draw(mask), round(255 * opacity), width * self.scale / 2
        places = [self._at(point) for point in points]
        draw.line(places, fill=fill, width=round(2 * radius), joint="curve")
        for x, y in places:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
        self._paint(mask, colour, None, False)

    def view(self, width: int, height: int, centre: Point, degrees: float = 0, zoom: float = 1) -> Image.Image:
        """Return what a camera over `centre` sees: `width` by `height` pixels, turned and zoomed."""
        factor = self.scale / zoom
        cosine, sine = math.cos(math.radians(degrees)) * factor, math.sin(math.radians(degrees)) * factor
        x, y = self._at(centre)
        # Sampled twice as fine as it is seen: the affine transform alone would skip pixels.
        wide, high = width * 2, height * 2
        cosine, sine = cosine / 2, sine / 2
        left, top = x - cosine * wide / 2 - sine * high / 2, y + sine * wide / 2 - cosine * high / 2
        data = (cosine, sine, left, -sine, cosine, top)
        seen = self.image.transform((wide, high), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        return seen.resize((width, height), Image.Resampling.LANCZOS)

    def _at(self, point: Point) -> Point:
        return point[0] * self.scale, point[1] * self.scale

    def _paint(self, mask: Image.Image, colour: str, to: str | None, across: bool) -> None:
        area = mask.getbbox()
        if area is None:
            return
        size = (area[2] - area[0], area[3] - area[1])
        first = Image.new("RGB", size, hex_colour(colour))
        if to is not None:
            ramp = Image.linear_gradient("L")
            ramp = ramp.rotate(90) if across else ramp
            first = Image.composite(Image.new("RGB", size, hex_colour(to)), first, ramp.resize(size))
        self.image.paste(first, area, mask.crop(area))


def desk() -> Canvas:
    """Draw a desk in the evening: window, plant, cat, mug, books, lamp, clock.

    It is 800 by 600; its middle is what is shown.
    """
    canvas = Canvas(800, 600, "f3dfc8")
    canvas.box((0, 0, 800, 420), "f7e6d0", "ecc9ac")
    for x in range(10, 800, 40):
        canvas.line([(x, 0), (x, 420)], "ffffff", 7, opacity=0.10)
    window(canvas)
    framed_picture(canvas)
    clock(canvas)
    table(canvas)
    plant(canvas)
    cat(canvas)
    books(canvas)
    mug(canvas)
    lamp(canvas)
    notebook(canvas)
    return canvas


def window(canvas: Canvas) -> None:
    canvas.box((112, 78, 352, 330), "fffaf2", "e9d8c4", radius=6)
    canvas.box((126, 92, 338, 316), "5b7fc0", "ffc98a")
    canvas.ellipse((232, 196, 312, 276), "fff2c4", opacity=0.55, blur=14)
    canvas.ellipse((250, 214, 294, 258), "fff6d8")
    for left, top in ((146, 122), (258, 140), (196, 168)):
        for dx, dy, r in ((0, 4, 9), (13, 0, 12), (28, 4, 9)):
            canvas.ellipse((left + dx - r, top + dy - r, left + dx + r, top + dy + r * 0.7), "fff4ea", opacity=0.8)
    ridge = curve([(126, 262), (160, 240), (196, 258), (236, 232), (282, 262), (338, 244)], closed=False)
    canvas.shape([*ridge, (338, 316), (126, 316)], "8e86ad", "a993a5")
    meadow = curve([(126, 288), (180, 272), (240, 290), (300, 274), (338, 284)], closed=False)
    canvas.shape([*meadow, (338, 316), (126, 316)], "5f8a6b", "4b7058")
    for x, base, high in ((148, 292, 26), (164, 288, 34), (318, 292, 30)):
        canvas.shape([(x - 8, base), (x, base - high), (x + 8, base)], "3f6350")
    canvas.box((228, 92, 236, 316), "fffaf2", "e9d8c4")
    canvas.box((126, 186, 338, 193), "fffaf2")
    canvas.box((98, 324, 366, 340), "fffaf2", "dcc6ae", radius=3)


def framed_picture(canvas: Canvas) -> None:
    canvas.box((404, 96, 500, 212), "8a5a3c", "6d4630", radius=3)
    canvas.box((412, 104, 492, 204), "fdf6ea")
    canvas.ellipse((426, 118, 466, 158), "e8694a")
    canvas.shape([(420, 194), (450, 146), (484, 194)], "2f6f7e")
    canvas.shape([(440, 194), (466, 160), (486, 194)], "f2b544")


def clock(canvas: Canvas) -> None:
    canvas.ellipse((549, 99, 639, 189), "b98f6d", opacity=0.5, blur=5)
    canvas.ellipse((546, 92, 634, 180), "2d4a5e", "1f3444")
    canvas.ellipse((554, 100, 626, 172), "fffdf7", "f1e7d8")
    for hour in range(12):
        angle = math.radians(hour * 30)
        inner = 27 if hour % 3 == 0 else 30
        tick = [(590 + r * math.sin(angle), 136 - r * math.cos(angle)) for r in (inner, 33)]
        canvas.line(tick, "2d4a5e", 2.6 if hour % 3 == 0 else 1.4)
    for angle, length, width in ((-56, 18, 3.6), (60, 26, 2.4)):
        turned = math.radians(angle)
        canvas.line([(590, 136), (590 + length * math.sin(turned), 136 - length * math.cos(turned))], "2d4a5e", width)
    canvas.ellipse((586.5, 132.5, 593.5, 139.5), "e8694a")


def table(canvas: Canvas) -> None:
    canvas.box((0, 392, 800, 600), "c98d5a", "a5683d")
    canvas.box((0, 392, 800, 397), "dda873")
    for y in (428, 476, 536):
        canvas.line([(0, y), (800, y)], "8f5631", 1.2, opacity=0.45)
    grain = np.random.default_rng(7)
    for _ in range(46):
        left, top, length = grain.uniform(0, 780), grain.uniform(404, 596), grain.uniform(24, 110)
        wave = [(left + length * t / 6, top + 1.4 * math.sin(t * 1.3 + left)) for t in range(7)]
        canvas.line(wave, "8a512d", 0.9, opacity=0.28)


def shadow(canvas: Canvas, box: Box, opacity: float = 0.5) -> None:
    canvas.ellipse(box, "4d2a16", opacity=opacity, blur=5)


def plant(canvas: Canvas) -> None:
    shadow(canvas, (112, 404, 228, 432))
    leaves = (
        (-74, -96, "3f7d4e", "2f6340"),
        (70, -98, "3f7d4e", "2f6340"),
        (-50, -146, "57a05f", "3f7d4e"),
        (48, -150, "4c9157", "376f46"),
        (-4, -172, "6db56c", "4a8f58"),
        (-88, -48, "57a05f", "3b774b"),
        (84, -50, "4c9157", "376f46"),
    )
    for dx, dy, light, dark in leaves:
        x, y = 168 + dx, 352 + dy
        length = math.hypot(dx, dy)
        across = (-dy / length * 17, dx / length * 17)
        middle = (168 + dx * 0.58, 352 + dy * 0.58 - 8)
        blade = [(168.0, 352.0), (middle[0] + across[0], middle[1] + across[1]), (x, y)]
        blade += [(middle[0] - across[0], middle[1] - across[1])]
        canvas.shape(curve(blade), light, dark)
        canvas.line(curve([(168, 352), middle, (x, y)], closed=False), "2b5a3a", 1.4, opacity=0.7)
    canvas.shape([(124, 346), (214, 346), (202, 418), (136, 418)], "d8653f", "b04a2c", across=True)
    canvas.box((118, 336, 220, 356), "e87b52", "bd5433", across=True, radius=4)
    canvas.shape([(131, 376), (207, 376), (205, 386), (133, 386)], "f7d9b0")


def cat(canvas: Canvas) -> None:
    shadow(canvas, (228, 408, 380, 438), 0.55)
    fur, light = "33303f", "4a4659"
    tail = curve([(336, 420), (372, 424), (388, 404), (380, 384), (392, 372)], closed=False)
    canvas.line(tail, fur, 13)
    body = [(262, 424), (254, 392), (264, 344), (286, 316), (318, 318), (340, 350), (348, 394), (342, 424), (302, 430)]
    canvas.shape(curve(body), light, fur)
    head = [(258, 292), (266, 262), (300, 252), (334, 262), (342, 292), (328, 318), (300, 326), (272, 318)]
    canvas.shape([(261, 282), (262, 230), (292, 258)], fur)
    canvas.shape([(339, 282), (338, 230), (308, 258)], fur)
    canvas.shape([(267, 268), (268, 243), (283, 259)], "d98f8f")
    canvas.shape([(333, 268), (332, 243), (317, 259)], "d98f8f")
    canvas.shape(curve(head), light, fur)
    for x in (282, 318):
        canvas.ellipse((x - 9, 278, x + 9, 296), "f4d35e", "d9a92f")
        canvas.ellipse((x - 3, 278.5, x + 3, 295.5), "1b1922")
        canvas.ellipse((x - 1, 280, x + 2.4, 284), "ffffff")
    canvas.shape([(295, 300), (305, 300), (300, 306)], "e79a9a")
    canvas.line(curve([(290, 311), (296, 313), (300, 307), (304, 313), (310, 311)], closed=False), "1b1922", 1.6)
    for side in (-1, 1):
        for slope in (-4, 2, 8):
            start, end = (300 + side * 22, 304 + slope / 2), (300 + side * 56, 302 + slope * 1.6)
            canvas.line([start, end], "d9d5e3", 0.9, opacity=0.8)
    for x in (284, 318):
        canvas.shape(curve([(x - 15, 424), (x - 10, 408), (x + 10, 408), (x + 15, 424), (x, 431)]), "d9d5e3", "b7b2c6")
    canvas.shape(curve([(284, 334), (300, 330), (316, 334), (312, 366), (300, 378), (288, 366)]), "d9d5e3", "b7b2c6")
    canvas.box((272, 321, 328, 328), "e8694a", radius=3)
    canvas.ellipse((295, 325, 305, 335), "f2b544", "cc8c22")


def books(canvas: Canvas) -> None:
    shadow(canvas, (462, 402, 630, 430))
    spines = (
        (470, 28, 268, "b8433a", "8c2f2b"),
        (498, 22, 290, "f2b544", "c98a22"),
        (520, 34, 252, "2f6f7e", "214f5c"),
        (554, 24, 282, "6b8f5a", "4c6b40"),
    )
    for left, width, top, light, dark in spines:
        canvas.box((left, top, left + width - 1, 416), light, dark, across=True, radius=2)
        for y in (top + 14, top + 20, 396):
            canvas.line([(left + 4, y), (left + width - 5, y)], "fbe9c8", 1.8, opacity=0.9)
        canvas.box((left + width / 2 - 4, top + 40, left + width / 2 + 3, top + 86), "fbe9c8", radius=2)
    leaning = [(602, 416), (618, 416), (593, 284), (577, 287)]
    canvas.shape(leaning, "7a5aa6", "573d7d")
    canvas.line([(584, 305), (594, 303)], "fbe9c8", 1.8)
    canvas.line([(586, 316), (596, 314)], "fbe9c8", 1.8)


def mug(canvas: Canvas) -> None:
    shadow(canvas, (396, 434, 478, 458))
    for x, sway in ((416, 5), (432, 6), (448, 5)):
        rising = [(x, 356), (x + sway, 342), (x - sway, 326), (x + sway, 308), (x, 294)]
        canvas.line(curve(rising, closed=False), "ffffff", 3.4, opacity=0.42)
    handle = curve([(462, 386), (484, 382), (490, 404), (480, 424), (460, 426)], closed=False)
    canvas.line(handle, "2a7f86", 8)
    cup: list[Point] = [(400, 372), (464, 372), (461, 430)]
    cup += curve([(461, 430), (457, 440), (446, 445), (418, 445), (407, 440), (403, 430)], closed=False)
    canvas.shape(cup, "49b3b1", "237077", across=True)
    canvas.ellipse((400, 362, 464, 382), "7fd0cb", "3a989b")
    canvas.ellipse((405, 365, 459, 380), "5a3320", "7a482c")
    canvas.shape([(402, 404), (463, 404), (462, 416), (402, 416)], "f7ead2", "d9c7a8", across=True)


def lamp(canvas: Canvas) -> None:
    glow = [(612, 286), (700, 300), (786, 452), (520, 452)]
    beam = Image.new("L", canvas.image.size)
    ImageDraw.Draw(beam).polygon([(x * canvas.scale, y * canvas.scale) for x, y in glow], fill=95)
    small = beam.resize((beam.width // 8, beam.height // 8)).filter(ImageFilter.GaussianBlur(6))
    beam = small.resize(beam.size, Image.Resampling.BICUBIC)
    light = Image.composite(Image.new("RGB", beam.size, hex_colour("ffd77a")), Image.new("RGB", beam.size), beam)
    canvas.image = ImageChops.screen(canvas.image, light)
    canvas.ellipse((556, 424, 740, 462), "fff0b8", opacity=0.5, blur=10)
    shadow(canvas, (632, 418, 726, 440))
    canvas.ellipse((636, 408, 716, 432), "3b4f66", "26364a")
    canvas.ellipse((636, 404, 716, 426), "506a87", "3b4f66")
    canvas.line([(676, 414), (704, 316)], "506a87", 6)
    canvas.line([(704, 316), (668, 236)], "506a87", 6)
    canvas.ellipse((697, 309, 711, 323), "e8694a")
    canvas.ellipse((636, 276, 684, 308), "fff6cf")
    shade = [(652, 226), (684, 232), (702, 300), (612, 286)]
    canvas.shape(shade, "f08a5d", "d4573a")
    canvas.line([(612, 286), (702, 300)], "fff0b8", 3)
    canvas.ellipse((658, 220, 680, 240), "d4573a")


def notebook(canvas: Canvas) -> None:
    canvas.shape([(254, 522), (296, 468), (470, 468), (500, 522)], "4d2a16", opacity=0.35)
    canvas.shape([(250, 516), (292, 462), (380, 462), (376, 516)], "fffaf0", "efe4d0")
    canvas.shape([(376, 516), (380, 462), (468, 462), (498, 516)], "fdf5e6", "e9dcc4")
    canvas.line([(376, 516), (380, 462)], "cbb799", 2)
    for row in range(5):
        y = 471 + row * 9
        left = 292 - (y - 462) * 42 / 54
        right = 468 + (y - 462) * 30 / 54
        canvas.line([(left + 12, y), (368 - row, y)], "7c8fb5", 1.5, opacity=0.9)
        canvas.line([(390, y), (right - 12 - 16 * (row % 3), y)], "7c8fb5", 1.5, opacity=0.9)
    canvas.line([(516, 500), (606, 474)], "f2b544", 7)
    canvas.line([(516, 498), (606, 472)], "ffd77a", 2)
    canvas.shape([(518, 504), (514, 496), (500, 505)], "f3d9b5")
    canvas.shape([(505, 505.4), (504, 501.6), (499, 505.6)], "33303f")
    canvas.line([(602, 475.2), (610, 472.8)], "e79a9a", 7)


def receipt() -> tuple[Image.Image, list[tuple[str, list[int]]]]:
    """Draw a shop's receipt, and return its words with their boxes on a grid from 0 to 1000."""
    width, height = 480, 640
    image = Image.new("RGB", (width, height), "#fffdf8")
    draw = ImageDraw.Draw(image)
    boxes: list[tuple[str, list[int]]] = []

    def write(text: str, y: float, size: int, left: float | None = None, right: float | None = None) -> None:
        """One line, in the middle unless its left or right end is given; each word is noted with its box."""
        font = ImageFont.load_default(size)
        length = font.getlength(text)
        x = left if left is not None else right - length if right is not None else (width - length) / 2
        draw.text((x, y), text, font=font, fill="#26221f")
        for word in text.split():
            place = draw.textbbox((x, y), word, font=font)
            corners = zip(place, (width, height) * 2, strict=True)
            boxes.append((word, [round(1000 * n / whole) for n, whole in corners]))
            x += font.getlength(f"{word} ")

    def rule(y: float) -> None:
        for x in range(48, width - 48, 12):
            draw.line([(x, y), (x + 6, y)], fill="#8d857c", width=2)

    write("The Paper Boat", 36, 38)
    write("Books & Tea", 84, 22)
    write("12 Harbour Street, Oslo", 114, 18)
    rule(152)
    write("Date: 14 March 2025", 166, 20, left=48)
    write("Receipt: 20481", 194, 20, left=48)
    rule(230)
    items = ("Green tea", "4.50"), ("Carrot cake", "5.20"), ("Sea atlas", "24.00"), ("Pencil, set of 3", "3.90")
    for row, (name, price) in enumerate(items):
        write(name, 248 + row * 34, 22, left=48)
        write(price, 248 + row * 34, 22, right=width - 48)
    rule(394)
    write("Subtotal", 408, 20, left=48)
    write("37.60", 408, 20, right=width - 48)
    write("Tax 10%", 438, 20, left=48)
    write("3.76", 438, 20, right=width - 48)
    write("Total", 474, 30, left=48)
    write("41.36 EUR", 474, 30, right=width - 48)
    rule(524)
    write("Paid by card. Served by Nora.", 540, 20)
    write("Thank you, and fair winds!", 576, 22)
    return image, boxes


def bell() -> np.ndarray:
    """Two strokes of a bell: partials that are not quite harmonic, the higher ones dying away sooner. Two seconds."""
    time = np.arange(2 * RATE) / RATE
    partials = [(0.5, 0.35, 1.4), (1.0, 1.0, 1.9), (1.19, 0.5, 2.4), (1.5, 0.35, 3.0), (2.0, 0.5, 3.6)]
    partials += [(2.74, 0.3, 5.0), (3.76, 0.18, 7.0), (4.07, 0.12, 8.5)]
    sound: np.ndarray = np.zeros_like(time)
    for start, pitch in ((0.0, 659.3), (0.55, 523.3)):
        since = np.clip(time - start, 0, None)
        attack = 1 - np.exp(-since * 400)
        for ratio, loudness, decay in partials:
            sound += attack * loudness * np.exp(-since * decay) * np.sin(2 * np.pi * pitch * ratio * since)
    sound *= np.clip((2 - time) / 0.15, 0, 1) * 0.8 / np.abs(sound).max()
    return sound


def speech() -> np.ndarray | None:
    """`SENTENCE` spoken by espeak-ng, or None where it is not installed."""
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    raw = HERE / "speech.raw.wav"
    subprocess.run([program, "-v", "en-gb", "-s", "165", "-p", "45", "-w", str(raw), SENTENCE], check=True)
    try:
        return decode_audio(str(raw), RATE)
    finally:
        raw.unlink()


def ball_frame(second: float) -> Image.Image:
    """Draw a red ball that bounces across a meadow, flatter at the ground, its shadow wider the nearer it is."""
    canvas = Canvas(320, 240, "cfe6f2", scale=3)
    canvas.box((0, 0, 320, 176), "bfdff0", "eef7fb")
    canvas.box((0, 172, 320, 240), "7fb27a", "5c9160")
    phase = (second / 0.75) % 1
    height = 4 * phase * (1 - phase)
    x = 40 + 240 * second / 2.5
    squash = max(0.0, 1 - height * 6) * 0.22
    across, tall = 24 * (1 + squash), 24 * (1 - squash)
    y = 204 - tall - 128 * height
    spread = 26 - 10 * height
    canvas.ellipse((x - spread, 198, x + spread, 210), "234a2c", opacity=0.55 - 0.3 * height, blur=2)
    canvas.ellipse((x - across, y - tall, x + across, y + tall), "f0654a", "b5322a")
    turned = math.radians(360 * second / 1.5)
    stripe = [(x + across * r * math.cos(turned), y + tall * r * math.sin(turned)) for r in (-0.86, 0.86)]
    canvas.line(stripe, "fff2dc", 7)
    canvas.ellipse((x - across * 0.55, y - tall * 0.7, x - across * 0.1, y - tall * 0.3), "ffffff", opacity=0.5, blur=1)
    return canvas.view(320, 240, (160, 120))


def ball(path: Path, frames: int = 60, rate: int = 24) -> None:
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        # x264's assembly gives other bytes from one run to the next, even with one thread.
        steady = {"threads": "1", "x264-params": "no-asm=1"}
        stream = container.add_stream("libx264", rate=rate, options={"crf": "24", "preset": "slow", **steady})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 320, 240, "yuv420p", Fraction(1, rate)
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_image(ball_frame(number / rate))))
        container.mux(stream.encode(None))


def save(image: Image.Image, name: str) -> None:
    payload = io.BytesIO()
    image.save(payload, "PNG", optimize=True)
    (HERE / name).write_bytes(payload.getvalue())


def main() -> None:
    scene = desk()
    save(scene.view(640, 480, (400, 300)), "desk.png")
    save(scene.view(640, 480, (412, 292), degrees=5, zoom=1.06), "desk_moved.png")
    page, boxes = receipt()
    save(page, "receipt.png")
    lines = ",\n".join(json.dumps(entry) for entry in boxes)
    (HERE / "receipt.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (HERE / "bell.wav").write_bytes(encode_wav(bell(), RATE))
    ball(HERE / "ball.mp4")
    spoken = speech()
    if spoken is None:
        print("speech.wav is left as it is: espeak-ng is not installed. Install it to speak the sentence again.")
    else:
        (HERE / "speech.wav").write_bytes(encode_wav(spoken, RATE))


if __name__ == "__main__":
    main()
