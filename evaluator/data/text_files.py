"""Text files: their encoding, and whether their lines can be their records."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from evaluator.data.sheets import Fault, TextForm

BLOCK = 1 << 20
_BLANK_LINE = re.compile(
    rb'\n(?:[,;" \t\r\v\f]|\xe3\x80\x80|\xc2\xa0|\xef\xbb\xbf|\xe2\x80\x8b|\xa1\xa1)*(?:\n|(?<!\n)\Z)'
)
_CJK_RUN = re.compile("[\u0800-\uffff]{2}")


def scan(path: Path, encoding: str = "utf-8") -> TextForm:
    """Find the encoding of a text file and whether its lines are its records."""
    lines, is_simple, has_cjk, block = 0, True, False, b"\n"
    for block in _blocks(path):
        if lines == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _scan_utf16(path)
        if b"\0" in block:
            raise Fault("is not text", lines + block.count(b"\n", 0, block.index(b"\0")) + 1)
        try:
            text = block.decode(encoding)
        except UnicodeDecodeError as error:
            line = lines + block.count(b"\n", 0, error.start) + 1
            # GB18030 passes for UTF-8 for a character or two; UTF-8 with one bad byte often for GB18030
            if has_cjk or _CJK_RUN.search(block[: error.start].decode(encoding)) or encoding != "utf-8":
                wanted = "UTF-8" if encoding == "utf-8" else "UTF-8 or GB18030"
                raise Fault(f"is not {wanted}", line, fix="save the file as UTF-8") from error
            return scan(path, "gb18030")
        lines += block.count(b"\n")
        has_cjk = has_cjk or (not text.isascii() and bool(_CJK_RUN.search(text)))
        is_simple = is_simple and not (
            # readers differ about blanks beside quotes, about lone returns and about blank lines
            (b'"' in block and (b' "' in block or b'" ' in block))
            or (b"\r" in block and block.count(b"\r") != block.count(b"\r\n"))
            or _BLANK_LINE.search(b"\n" + block)
        )
    return TextForm("utf-8-sig" if encoding == "utf-8" else encoding, lines + (not block.endswith(b"\n")), is_simple)


def _scan_utf16(path: Path) -> TextForm:
    try:
        text = path.read_text(encoding="utf-16")
    except UnicodeDecodeError as error:
        raise Fault("is not UTF-16, although it begins so", fix="save the file as UTF-8") from error
    if "\0" in text:
        raise Fault("is not text", text.count("\n", 0, text.index("\0")) + 1)
    return TextForm("utf-16", 0, is_simple=False)


def _blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks of whole lines."""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block + stream.readline()
