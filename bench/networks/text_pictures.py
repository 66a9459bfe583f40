# SPDX-License-Identifier: Apache-2.0
"""Pages of drawn text, so that a text detector has something to find: everything comes from the generator it is given."""
from PIL import Image, ImageDraw, ImageFont

SIDE = 640
SIZES = (12, 14, 16, 18, 20, 24, 28, 34, 42, 54, 72)
WORDS = ("alpha beta harbour CARGO 1987 manifest No. 4711 voyage quay tonnage FRAGILE keep dry platform 9 3/4 departures "
         "EXIT open daily 08:30 - 17:45 total 129.90 EUR invoice thank you Main Street 42 please do not lean out").split()


def font(draw):
    """One of the fonts that Pillow brings along: an outline in any size, or pixels."""
    return ImageFont.load_default() if draw.random() < 0.1 else ImageFont.load_default(draw.choice(SIZES))


def ground(draw):
    """A plain or graded surface, light or dark, and a colour that can be read on it."""
    dark = draw.random() < 0.3
    low, high = (0, 90) if dark else (165, 255)
    first, last = (tuple(draw.randint(low, high) for _ in range(3)) for _ in range(2))
    picture = Image.new("RGB", (1, 2))
    picture.putpixel((0, 0), first)
    picture.putpixel((0, 1), last)
    low, high = (190, 255) if dark else (0, 80)
    return picture.resize((SIDE, SIDE), Image.BILINEAR), tuple(draw.randint(low, high) for _ in range(3))


def page(draw):
    """A picture of SIDE x SIDE; `draw` is a random.Random."""
    picture, colour = ground(draw)
    pen = ImageDraw.Draw(picture)
    top = draw.randint(8, 60)
    while top < SIDE - 16:
        line = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 7)))
        chosen = font(draw)
        left = draw.randint(-20, SIDE // 2)
        pen.text((left, top), line, fill=colour, font=chosen)
        _, _, _, bottom = pen.textbbox((left, top), line, font=chosen)
        top = bottom + draw.randint(4, 60)
    return picture.rotate(draw.uniform(-12, 12), Image.BICUBIC, fillcolor=picture.getpixel((0, 0)))
