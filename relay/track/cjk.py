#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes cjk_NAME.c: run as `relay/track/cjk.py NAME > relay/track/cjk_NAME.c` for each of
jis0208, euckr, gbk and big5.

The indexes of the Encoding standard (§6) out of Python's codecs (PSF licence), which agree with
them but for what EXCEPT has, private-use characters, and 148 characters of Big5's HKSCS.
A row is written as the characters that it holds, a space where there is none.
"""
import sys

CELL = 40  # characters in one line of C


def sjis(pointer):
    lead, trail = divmod(pointer, 188)
    return bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])


def euckr(pointer):
    lead, trail = divmod(pointer, 190)
    return bytes([lead + 0x81, trail + 0x41])


def gbk(pointer):
    lead, trail = divmod(pointer, 190)
    return bytes([lead + 0x81, trail + (0x40 if trail < 0x3F else 0x41)])


def big5(pointer):
    lead, trail = divmod(pointer, 157)
    return bytes([lead + 0x81, trail + (0x40 if trail < 0x3F else 0x62)])


EXCEPT = {("gbk", b"\xa3\xa0"): "\u3000", ("gbk", b"\xa8\xbc"): "\u1e3f",
          ("big5", b"\xa3\xe0"): "\u2421", ("big5", b"\xa3\xe1"): "\u20ac",
          ("big5", b"\xc6\xcf"): "\u5ef4", ("big5", b"\xc6\xd3"): "\u65e0",
          ("big5", b"\xc6\xd5"): "\u7676", ("big5", b"\xc6\xd7"): "\u96b6",
          ("big5", b"\xc6\xde"): "\u3003", ("big5", b"\xc6\xdf"): "\u4edd",
          ("big5", b"\xfb\x48"): "\u5605", ("big5", b"\xfb\xf9"): "\u5ed0",
          ("big5", b"\xfc\x6c"): "\u60a4", ("big5", b"\xfe\x52"): "\u732a"}
EXCEPT |= {("big5", bytes([0xA3, 0xC0 + i])): chr(0x2400 + i) for i in range(32)}
INDEXES = {  # name: bytes of a pointer, columns, rows, codec of a lead byte
    "jis0208": (sjis, 94, 120, lambda lead: "cp932"),
    "euckr": (euckr, 190, 126, lambda lead: "cp949"),
    "gbk": (gbk, 190, 126, lambda lead: "gb18030"),
    "big5": (big5, 157, 126, lambda lead: "cp950" if lead in (0xA1, 0xA2) else "big5hkscs"),
}


def character(name, pointer):
    to_bytes, _, _, codec = INDEXES[name]
    code = to_bytes(pointer)
    try:
        text = EXCEPT.get((name, code)) or code.decode(codec(code[0]))
    except UnicodeDecodeError:
        return " "
    return " " if len(text) != 1 or 0xE000 <= ord(text) <= 0xF8FF else text


def row(name, number):
    columns = INDEXES[name][1]
    return "".join(character(name, number * columns + i) for i in range(columns)).rstrip()


def main():
    name = sys.argv[1]
    rows = [row(name, i) for i in range(INDEXES[name][2])]
    while not rows[-1]:
        rows.pop()
    print("/* SPDX-License-Identifier: GPL-2.0-or-later */")
    print("/* Made by cjk.py from Python's codecs; not to be edited. */")
    print('#include "relay/track/cjk.h"\n')
    print("/* clang-format off */")
    print(f"const char *const cjk_{name}[CJK_ROWS] = {{")
    for number, text in enumerate(rows):
        cells = [text[i:i + CELL] for i in range(0, len(text), CELL)]
        if cells:
            escaped = [c.replace("\\", "\\\\").replace('"', '\\"') for c in cells]
            print(f"\t[{number}] = " + "\n\t".join(f'"{c}"' for c in escaped) + ",")
    print("};\n/* clang-format on */")


main()
