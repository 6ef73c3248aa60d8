"""Word documents to Markdown, by way of mammoth's HTML: headings, lists, tables; no images."""

import io
import zipfile

from knowledge_base import web_page
from knowledge_base.errors import DocumentRejected

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


def read(data: bytes, *, max_unpacked: int) -> str:
    """Markdown of the document. Raises DocumentRejected; `max_unpacked` bytes guard against a ZIP bomb."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentRejected("is encrypted or an old .doc file: remove its password or save it as .docx")
    _check_archive(data, max_unpacked)
    return web_page.from_html(_html(data))


def _check_archive(data: bytes, max_unpacked: int) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DocumentRejected(f"is not a Word document: {error}") from error
    if not any(entry.filename == "word/document.xml" for entry in entries):
        raise DocumentRejected("is not a Word document: it has no word/document.xml")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max_unpacked:
        raise DocumentRejected(f"unpacks to {unpacked >> 20} MB; at most {max_unpacked >> 20} MB are read")


def _html(data: bytes) -> str:
    import mammoth

    images = mammoth.images.img_element(lambda _: {"src": ""})  # their bytes would otherwise come as text
    try:
        return str(mammoth.convert_to_html(io.BytesIO(data), style_map=_STYLES, convert_image=images).value)
    except Exception as error:  # a parser may raise anything on a broken file, and that is the file's fault
        raise DocumentRejected(f"is a broken Word document: {str(error)[:200] or type(error).__name__}") from error
