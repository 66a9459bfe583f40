#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/vision/font_data.inc: DejaVu Sans Bold as anti-aliased glyphs of ASCII and Latin-1.

  python3 tools/make_font.py [DejaVuSans-Bold.ttf]     needs Pillow; the font is in Debian's fonts-dejavu-core

One size is kept, 32 pixels to the em; drawing resizes lines of text to what a picture needs. Pixels have 16 levels and are
run-length coded: the high four bits of a byte are the level, the low four the length minus one."""
import os
import sys

from PIL import Image, ImageDraw, ImageFont

EM = 32
CODES = list(range(32, 127)) + list(range(160, 256))
HEAD = """// SPDX-License-Identifier: Apache-2.0 AND Bitstream-Vera
// Glyphs of DejaVu Sans Bold %s, drawn by tools/make_font.py; not edited by hand.
// Fonts are (c) Bitstream (see below). DejaVu changes are in public domain. Glyphs imported from Arev fonts are (c) Tavmjong
// Bah. Bitstream Vera Fonts Copyright (c) 2003 by Bitstream, Inc. All Rights Reserved. Bitstream Vera is a trademark of
// Bitstream, Inc. The licence is in font_licence.txt beside this file.
// clang-format off

"""


def runs_of(pixels):
    levels = [(p * 15 + 127) // 255 for p in pixels]
    out = []
    for level in levels:
        if out and out[-1][0] == level and out[-1][1] < 16:
            out[-1][1] += 1
        else:
            out.append([level, 1])
    return [level << 4 | (count - 1) for level, count in out]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
    font = ImageFont.truetype(path, EM, layout_engine=ImageFont.Layout.BASIC)
    ascent, descent = font.getmetrics()
    glyphs, data = [], []
    for code in CODES:
        text = chr(code)
        canvas = Image.new("L", (3 * EM, ascent + descent + EM))
        ImageDraw.Draw(canvas).text((EM, 0), text, font=font, fill=255)
        left, top, right, bottom = canvas.getbbox() or (EM, 0, EM, 0)
        advance = round(font.getlength(text))
        glyphs.append((len(data), advance, left - EM, top, right - left, bottom - top))
        data += runs_of(canvas.crop((left, top, right, bottom)).tobytes())
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "vision", "font_data.inc")
    with open(target, "w") as out:
        out.write(HEAD % "2.37")
        out.write("enum { FONT_EM = %d, FONT_ASCENT = %d, FONT_HEIGHT = %d };\n\n" % (EM, ascent, ascent + descent))
        out.write("// Where the runs begin, advance, left, top, width, height. ' ' to '~', then no-break space to y with diaeresis.\n")
        out.write("static const font_glyph font_glyphs[%d] = {\n" % len(glyphs))
        for g in glyphs:
            out.write("    {%s},\n" % ", ".join(map(str, g)))
        out.write("};\n\nstatic const uint8_t font_runs[%d] = {\n" % len(data))
        line = "   "
        for value in data:
            word = "%d," % value
            if len(line) + len(word) > 119:
                out.write(line + "\n")
                line = "   "
            line += word
        out.write(line + "\n};\n")
    print("%d glyphs, %d bytes of runs" % (len(glyphs), len(data)))


main()
