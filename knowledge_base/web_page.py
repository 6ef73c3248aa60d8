"""HTML to Markdown: what is said on a page, without the site around it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from bs4 import BeautifulSoup, Comment, Tag
from markdownify import ATX, MarkdownConverter

from knowledge_base.markup import meaningful_alt, tidy

_NEVER_READ = (
    "script, style, noscript, template, svg, iframe, nav, aside, form, button, input, select, textarea, dialog"
)
_SITE = (
    "header, footer, [role=navigation], [role=banner], [role=contentinfo], [role=search], [hidden], [aria-hidden=true]"
)
_MAIN = ("main", "[role=main]", "article", "#main-content", "#content", "#main", ".entry-content", ".post-content")
_MAIN_SHARE = 0.2  # of the page's text: something smaller is not the main content, whatever its name
_PERMALINKS = re.compile(r"[#¶§🔗\u200b\s]*")
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_ID = re.compile(r"[^\s{}]+")
_SITE_NAME = re.compile(r"\s+[|–—·»]\s+[^|–—·»]+$|\s+-\s+[^-]+$")


@dataclass(frozen=True, slots=True)
class WebPage:
    title: str | None
    markdown: str
    url: str | None
    updated: date | None


def read(html: str) -> WebPage:
    """The page's main content with its headings, lists, tables and code, and what its head says about it.

    Raises RecursionError when elements are nested some hundreds deep.
    """
    soup = BeautifulSoup(html, "html.parser")
    url, updated, head_title = _url(soup), _updated(soup), _head_title(soup)
    for found in soup.find_all(string=lambda string: isinstance(string, Comment)):
        found.extract()
    for element in soup.select(_NEVER_READ):
        element.decompose()
    main = _main(soup)
    first = main.find("h1") or soup.find("h1")
    heading = _words(first) if isinstance(first, Tag) else None
    if main.name in {"body", "[document]"}:
        for element in main.select(_SITE):
            element.decompose()
    return WebPage(heading or head_title, markdown(main), url, updated)


def markdown(content: Tag) -> str:
    """Markdown of an element. Links become their text, images their description, ids of headings `{#id}`."""
    for link in content.find_all("a"):
        if _PERMALINKS.fullmatch(link.get_text()) and not link.find("img"):
            link.decompose()
        else:
            link.unwrap()
    for image in content.find_all("img"):
        image.replace_with(meaningful_alt(str(image.get("alt") or "")))
    for heading in content.find_all(_HEADINGS):
        id = str(heading.get("id") or "")
        if _ID.fullmatch(id) and heading.get_text(strip=True):
            heading.append(f" {{#{id}}}")
    converter = MarkdownConverter(
        heading_style=ATX,
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        code_language_callback=_code_language,
    )
    return tidy(converter.convert_soup(content))


def from_html(html: str) -> str:
    """Markdown of a fragment that is content from end to end."""
    return markdown(BeautifulSoup(html, "html.parser"))


def _main(soup: BeautifulSoup) -> Tag:
    body = soup.body or soup
    enough = _MAIN_SHARE * len(body.get_text())
    for selector in _MAIN:
        found = soup.select(selector)
        if len(found) == 1 and len(found[0].get_text()) >= enough:
            return found[0]
    return body


def _head_title(soup: BeautifulSoup) -> str | None:
    """The title without the site's name, which many sites put behind a bar or a dash."""
    title = _words(soup.title) if soup.title else None
    return _SITE_NAME.sub("", title) or title if title else None


def _url(soup: BeautifulSoup) -> str | None:
    canonical = soup.find("link", rel="canonical")
    candidates = [canonical.get("href") if isinstance(canonical, Tag) else None, *_meta(soup, "og:url")]
    return next((str(url).strip() for url in candidates if re.match(r"https?://\S+$", str(url or "").strip())), None)


def _updated(soup: BeautifulSoup) -> date | None:
    for value in _meta(soup, "article:modified_time", "last-modified", "dcterms.modified"):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            continue  # the head of a page promises nothing: a date that is none is no reason to refuse the page
    return None


def _meta(soup: BeautifulSoup, *names: str) -> Iterator[str]:
    for name in names:
        for attribute in ("property", "name"):
            found = soup.find("meta", attrs={attribute: name})
            if isinstance(found, Tag) and found.get("content"):
                yield str(found["content"])


def _words(element: Tag) -> str | None:
    return " ".join(element.get_text(" ").replace("¶", " ").split()) or None


def _code_language(pre: Tag) -> str:
    classes = [name for element in [pre, *pre.find_all("code")] for name in element.get_attribute_list("class")]
    return next((str(name)[len("language-") :] for name in classes if str(name).startswith("language-")), "")
