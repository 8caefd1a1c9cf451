#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes charsets.c: run as `relay/track/charsets.py > relay/track/charsets.c`.

What the bytes stand for is taken from Python's codecs (PSF licence); where those leave a byte of
the C1 range open, the Encoding standard has the control character. The labels are the ones that
mail uses, out of the standard's §4.2; like there, latin1 and ASCII-like labels of single-byte
text are windows-1252, ISO-8859-9 is windows-1254, ISO-8859-11 is windows-874.
"""

CHARSETS = {
    "ibm866": ("cp866", ["ibm866", "cp866", "866"]),
    "iso-8859-2": ("iso8859-2", ["iso-8859-2", "iso8859-2", "iso_8859-2", "latin2", "l2"]),
    "iso-8859-3": ("iso8859-3", ["iso-8859-3", "iso8859-3", "iso_8859-3", "latin3", "l3"]),
    "iso-8859-4": ("iso8859-4", ["iso-8859-4", "iso8859-4", "iso_8859-4", "latin4", "l4"]),
    "iso-8859-5": ("iso8859-5", ["iso-8859-5", "iso8859-5", "iso_8859-5", "cyrillic"]),
    "iso-8859-6": ("iso8859-6", ["iso-8859-6", "iso8859-6", "iso_8859-6", "arabic",
                                 "iso-8859-6-e", "iso-8859-6-i"]),
    "iso-8859-7": ("iso8859-7", ["iso-8859-7", "iso8859-7", "iso_8859-7", "greek"]),
    "iso-8859-8": ("iso8859-8", ["iso-8859-8", "iso8859-8", "iso_8859-8", "hebrew",
                                 "iso-8859-8-e", "iso-8859-8-i"]),
    "iso-8859-10": ("iso8859-10", ["iso-8859-10", "iso8859-10", "latin6", "l6"]),
    "iso-8859-13": ("iso8859-13", ["iso-8859-13", "iso8859-13"]),
    "iso-8859-14": ("iso8859-14", ["iso-8859-14", "iso8859-14"]),
    "iso-8859-15": ("iso8859-15", ["iso-8859-15", "iso8859-15", "iso_8859-15", "l9"]),
    "iso-8859-16": ("iso8859-16", ["iso-8859-16"]),
    "koi8-r": ("koi8-r", ["koi8-r", "koi8", "koi", "koi8_r"]),
    "koi8-u": ("koi8-u", ["koi8-u", "koi8-ru"]),
    "macintosh": ("mac-roman", ["macintosh", "mac", "x-mac-roman"]),
    "windows-874": ("cp874", ["windows-874", "tis-620", "iso-8859-11", "iso8859-11", "cp874",
                              "dos-874"]),
    "windows-1250": ("cp1250", ["windows-1250", "cp1250", "x-cp1250"]),
    "windows-1251": ("cp1251", ["windows-1251", "cp1251", "x-cp1251"]),
    "windows-1252": ("cp1252", ["windows-1252", "cp1252", "x-cp1252", "iso-8859-1", "iso8859-1",
                                "iso_8859-1", "latin1", "l1", "cp819", "ibm819", "latin-1"]),
    "windows-1253": ("cp1253", ["windows-1253", "cp1253", "x-cp1253"]),
    "windows-1254": ("cp1254", ["windows-1254", "cp1254", "x-cp1254", "iso-8859-9", "iso8859-9",
                                "iso_8859-9", "latin5", "l5"]),
    "windows-1255": ("cp1255", ["windows-1255", "cp1255", "x-cp1255"]),
    "windows-1256": ("cp1256", ["windows-1256", "cp1256", "x-cp1256"]),
    "windows-1257": ("cp1257", ["windows-1257", "cp1257", "x-cp1257"]),
    "windows-1258": ("cp1258", ["windows-1258", "cp1258", "x-cp1258"]),
    "x-mac-cyrillic": ("mac-cyrillic", ["x-mac-cyrillic", "x-mac-ukrainian"]),
}

CJK = {  # enum cjk: name, labels
    "SHIFT_JIS": ("shift_jis", ["csshiftjis", "ms932", "ms_kanji", "shift-jis", "shift_jis", "sjis",
                                "windows-31j", "x-sjis", "cp932"]),
    "EUC_JP": ("euc-jp", ["cseucpkdfmtjapanese", "euc-jp", "x-euc-jp"]),
    "EUC_KR": ("euc-kr", ["cseuckr", "csksc56011987", "euc-kr", "iso-ir-149", "korean",
                          "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601", "ksc_5601", "windows-949",
                          "cp949"]),
    "GBK": ("gbk", ["chinese", "csgb2312", "csiso58gb231280", "gb2312", "gb_2312", "gb_2312-80",
                    "gbk", "iso-ir-58", "x-gbk", "cp936"]),
    "GB18030": ("gb18030", ["gb18030"]),
    "BIG5": ("big5", ["big5", "big5-hkscs", "cn-big5", "csbig5", "x-x-big5", "cp950"]),
}

UTF8_LABELS = ["", "utf-8", "utf8", "unicode-1-1-utf-8", "us-ascii", "ascii", "ansi_x3.4-1968"]


def meaning(codec, byte):
    try:
        return ord(bytes([byte]).decode(codec))
    except UnicodeDecodeError:
        return byte if byte < 0xA0 else 0


def identifier(name):
    return name.replace("-", "_")


def main():
    print("/* SPDX-License-Identifier: GPL-2.0-or-later */")
    print("/* Made by charsets.py from Python's codecs; not to be edited. */")
    print('#include "relay/track/charset.h"\n')
    print("/* clang-format off */")
    labels = {label: "utf_8" for label in UTF8_LABELS}
    for name, (codec, names) in CHARSETS.items():
        print(f"static const uint16_t {identifier(name)}_high[128] = {{")
        values = [meaning(codec, b) for b in range(0x80, 0x100)]
        for i in range(0, 128, 11):
            print("\t" + " ".join(f"0x{v:04x}," for v in values[i:i + 11]))
        print("};")
        for label in names:
            assert label not in labels
            labels[label] = identifier(name)
    for kind, (_, names) in CJK.items():
        for label in names:
            assert label not in labels
            labels[label] = kind.lower()
    print('\nstatic const struct charset utf_8 = {"utf-8", NULL, CJK_NONE};')
    for kind, (name, _) in CJK.items():
        print(f'static const struct charset {kind.lower()} = {{"{name}", NULL, CJK_{kind}}};')
    for name in CHARSETS:
        i = identifier(name)
        print(f'static const struct charset {i} = {{"{name}", {i}_high, CJK_NONE}};')
    print("\nconst struct charset_label charset_labels[] = {")
    line = "\t"
    for label in sorted(labels):
        entry = f'{{"{label}", &{labels[label]}}},'
        if len(line) + len(entry) > 90:
            print(line.rstrip())
            line = "\t"
        line += entry + " "
    print(line.rstrip())
    print("};\n/* clang-format on */\n")
    print("const size_t charset_label_count = sizeof(charset_labels) / sizeof(*charset_labels);")


main()
