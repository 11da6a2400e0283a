"""Drawn pictures for models of images: lines of text, and scenes with shapes, textures and text. Deterministic."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SEED = 20261124
Colour = tuple[int, int, int]


def line(text: str, at: int, height: int, width: int) -> Image.Image:
    """One line of text filling a strip of this size as a detector would cut it out; `at` varies colours and noise."""
    random = np.random.default_rng((SEED, 1, at))
    ink, paper = _colours(random)
    scale = 2  # drawn larger and scaled down, as a photograph of print is
    size = round(height * scale * random.uniform(0.62, 0.8))
    font = ImageFont.load_default(size)
    wanted = round(min(width, height * random.uniform(4.5, 9.0)) * scale)
    while font.getlength(text) > wanted - size and len(text) > 4:
        text = text[:-1].rstrip()
    picture = Image.new("RGB", (max(size, round(font.getlength(text)) + size), height * scale), paper)
    place = (size / 2, height * scale / 2 + random.uniform(-0.03, 0.03) * size)
    ImageDraw.Draw(picture).text(place, text, fill=ink, font=font, anchor="lm")
    picture = picture.rotate(random.uniform(-1.0, 1.0), Image.Resampling.BICUBIC, fillcolor=paper)
    return _noisy(picture.resize((picture.width // scale, height), Image.Resampling.BOX), random)


def scene(texts: list[str], at: int, height: int, width: int) -> Image.Image:
    """A picture with a shaded background, shapes, and some lines of text: edges, flat parts, colours and texture."""
    random = np.random.default_rng((SEED, 2, at))
    picture = _background(random, height, width)
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(int(random.integers(2, 9))):
        _shape(draw, random, height, width)
    for text in texts:
        size = round(min(height, width) * random.uniform(0.035, 0.11))
        ink, paper = _colours(random)
        font = ImageFont.load_default(max(8, size))
        place = (random.uniform(0.02, 0.4) * width, random.uniform(0.02, 0.92) * height)
        box = draw.textbbox(place, text, font=font)
        if random.random() < 0.6:
            draw.rectangle((box[0] - size / 3, box[1] - size / 4, box[2] + size / 3, box[3] + size / 4), fill=paper)
        draw.text(place, text, fill=ink, font=font)
    return _noisy(picture, random)


def _colours(random: np.random.Generator) -> tuple[Colour, Colour]:
    """Ink and paper that a person can tell apart."""
    dark, light = random.integers(0, 90, 3), random.integers(165, 256, 3)
    pair = (dark, light) if random.random() < 0.75 else (light, dark)
    ink, paper = (tuple(int(value) for value in one) for one in pair)
    return (ink[0], ink[1], ink[2]), (paper[0], paper[1], paper[2])


def _background(random: np.random.Generator, height: int, width: int) -> Image.Image:
    """A coarse grid of colours, blown up: a smooth gradient in every channel."""
    coarse = random.integers(20, 236, (int(random.integers(2, 7)), int(random.integers(2, 7)), 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def _shape(draw: ImageDraw.ImageDraw, random: np.random.Generator, height: int, width: int) -> None:
    left, top = random.uniform(-0.1, 0.8) * width, random.uniform(-0.1, 0.8) * height
    box = (left, top, left + random.uniform(0.08, 0.5) * width, top + random.uniform(0.08, 0.5) * height)
    values = random.integers(0, 256, 3)
    colour = (int(values[0]), int(values[1]), int(values[2]), int(random.integers(120, 256)))
    kind = random.integers(0, 4)
    if kind == 0:
        draw.ellipse(box, fill=colour)
    elif kind == 1:
        draw.rectangle(box, fill=colour, outline=(0, 0, 0, 255), width=int(random.integers(1, 5)))
    elif kind == 2:
        draw.polygon([(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), (box[2], box[3])], fill=colour)
    else:
        for step in range(0, 10):
            x = box[0] + (box[2] - box[0]) * step / 10
            draw.line((x, box[1], x, box[3]), fill=colour, width=int(random.integers(1, 4)))


def _noisy(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """A camera's blur and grain."""
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 0.8)))
    grain = random.normal(0, random.uniform(1, 6), (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture, np.float64) + grain, 0, 255).astype(np.uint8))
