"""Bytes to text, or a reason why not."""

import codecs
import re
import unicodedata

from knowledge_base.errors import DocumentRejected

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Office document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "an SQLite database"),
)
_WESTERN = re.compile(r"[\x00-\x7fÀ-ÿŒœŠšŸŽž€‚„…†‡‰‹›‘’“”•–—™\xa0¡£§©«®°±²³·»¼½¾¿´¹ºª¢¥¶]*")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROLS = 0.02  # of the characters: terminal logs hold some, binary data many
_SAMPLE = 65_536  # bytes that the guess of an encoding looks at


def decode(data: bytes, *, declared: str | None = None) -> str:
    """The text in Unicode's composed form with plain newlines.

    A byte order mark decides, else UTF-8 if it fits, else what the document declares, else what its bytes look like.
    Raises DocumentRejected for binary data and for an encoding that cannot be told.
    """
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            raise DocumentRejected(f"holds {what}, not text: give the file the extension of what it is")
    text = _marked(data) or _unmarked_utf16(data) or _text(data, declared)
    controls = len(_CONTROLS.findall(text))
    if "\x00" in text or controls > _MAX_CONTROLS * len(text):
        raise DocumentRejected("holds binary data, not text")
    text = _CONTROLS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return unicodedata.normalize("NFC", text.removeprefix("\ufeff"))


def _marked(data: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise DocumentRejected(
                    f"starts as {encoding.upper()} text and is broken at byte {error.start}"
                ) from error
    return None


def _unmarked_utf16(data: bytes) -> str | None:
    """Text that is mostly ASCII has a zero in every second byte when it is UTF-16."""
    sample = data[:_SAMPLE]
    half = len(sample) // 2
    if half < 2 or b"\x00" not in sample:
        return None
    for encoding, zeros, letters in (
        ("utf-16-le", sample[1::2], sample[0::2]),
        ("utf-16-be", sample[0::2], sample[1::2]),
    ):
        if zeros.count(0) > 0.7 * half and not letters.count(0):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                return None
    return None


def _text(data: bytes, declared: str | None) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        position = error.start
    if b"\x00" in data:
        raise DocumentRejected("holds binary data, not text")
    if declared:
        try:
            return data.decode(declared)
        except (UnicodeDecodeError, LookupError):
            declared = None  # an honest guess is better than a wrong declaration
    guess = _western(data) or _guessed(data)
    if guess is None:
        raise DocumentRejected(f"is not UTF-8 (byte {position}), and its encoding cannot be told: save it as UTF-8")
    return guess


def _western(data: bytes) -> str | None:
    """Windows-1252, the usual extension of Latin-1, when that gives words with a few Western letters among ASCII."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    foreign = sum(1 for character in text if character > "\x7f")
    odd = re.search(r"[A-Za-zÀ-ÿ][£§©°±²³¼½¾¿¡¢¥¶¹ºª][a-zà-ÿ]|[À-ÿ]{4}", text)
    return text if _WESTERN.fullmatch(text) and foreign < 0.2 * len(text) and not odd else None


def _guessed(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    if best is None or best.percent_chaos > 10 or best.percent_coherence == 0:
        return None
    try:
        return data.decode(best.encoding)
    except (UnicodeDecodeError, LookupError):
        return None
