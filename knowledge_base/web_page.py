"""HTML to Markdown: what is said on a page, without the site around it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from bs4 import BeautifulSoup, Comment, Tag
from markdownify import ATX, MarkdownConverter

from knowledge_base.markup import meaningful_alt, tidy

_NEVER_READ = (
    "title, script, style, noscript, template, svg, iframe, nav, aside, form, button, input, select, textarea, dialog"
)
_SITE = (
    "header, footer, [role=navigation], [role=banner], [role=contentinfo], [role=search], [hidden], [aria-hidden=true]"
)
_NAMED_NAVIGATION = re.compile(
    r"(?:site|page|main|doc|local|global)?-?(?:nav(?:bar|header|footer|igation|links)?|breadcrumbs?|toc|pagination|sidebar)"
    r"|list-of-(?:figures|tables|examples)"
)
_MAIN = ("main", "[role=main]", "article", "#main-content", "#content", "#main", ".entry-content", ".post-content")
_MAIN_SHARE = 0.2  # of the page's text: something smaller is not the main content, whatever its name
_PERMALINKS = re.compile(r"[#¶§🔗\u200b\s]*")
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_ID = re.compile(r"[^\s{}]+")
_SECTION_NUMBER = re.compile(r"^\s*(?:\d+|[A-Z])(?:\.\d+)+\.\s+")
_FIGURE = re.compile(r"(?:Figure|Fig\.|Image|Screenshot)\s+\d")  # the label of a picture that is not shown
_WHITE_SPACE = re.compile(r"[^\S\xa0]+")
_MOST_IN_BOX = 2  # cells with text: what is in the box, and a label
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
    for numbered in soup.find_all([*_HEADINGS, "title"]):
        _drop_number(numbered)
    url, updated, head_title = _url(soup), _updated(soup), _head_title(soup)
    for found in soup.find_all(string=lambda string: isinstance(string, Comment)):
        found.extract()
    for element in soup.select(_NEVER_READ):
        element.decompose()
    for element in _named_navigation(soup):
        element.decompose()
    main = _main(soup)
    first = main.find("h1") or soup.find("h1")
    heading = _words(first) if isinstance(first, Tag) else None
    if main.name in {"body", "[document]"}:
        for element in main.select(_SITE):
            element.decompose()
    return WebPage(heading or head_title, markdown(main), url, updated)


def markdown(content: Tag) -> str:
    """Markdown of an element. Links become their text, images their description, fragments of headings `{#id}`."""
    for heading in content.find_all(_HEADINGS):
        if heading.get_text(strip=True):
            heading["id"] = next(filter(_ID.fullmatch, _fragments(heading)), "")
    for link in content.find_all("a"):
        if _PERMALINKS.fullmatch(link.get_text()) and not link.find("img"):
            link.decompose()
        else:
            link.unwrap()
    for caption in content.select("figcaption, .figure > .title, .caption"):
        if _FIGURE.match(caption.get_text().strip()):
            _drop_label(caption)
    for image in content.find_all("img"):
        image.replace_with(meaningful_alt(str(image.get("alt") or "")))
    for heading in content.find_all(_HEADINGS):
        if heading.get("id") and heading.get_text(strip=True):
            heading.append(f" {{#{heading['id']}}}")
    for strong in content.select("strong strong, strong b, b strong, b b, em em, em i, i em, i i"):
        strong.unwrap()
    for table in content.find_all("table"):
        _open_box(table)
    for definitions in content.find_all("dl"):
        _list_definitions(definitions)
    for text in content.find_all(string=True):
        if not text.find_parent("pre"):
            text.replace_with(_WHITE_SPACE.sub(" ", text))
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


def _named_navigation(soup: BeautifulSoup) -> list[Tag]:
    """What is called navigation and is no element of that name, as generators of documentation write it."""
    named = [
        element
        for element in soup.find_all(["div", "ul", "ol", "table", "section"])
        if any(_NAMED_NAVIGATION.fullmatch(name) for name in _names(element))
    ]
    return [element for element in named if not element.find(["h1", "main", "article"])]


def _names(element: Tag) -> list[str]:
    return [str(name).lower() for attribute in ("class", "id") for name in element.get_attribute_list(attribute)]


def _fragments(heading: Tag) -> Iterator[str]:
    """What a link to the heading may name, the surest first: its id, its permalink's target, an anchor in it or right
    before it, and the section that it opens."""
    yield str(heading.get("id") or "")
    for link in heading.find_all("a"):
        if _PERMALINKS.fullmatch(link.get_text()):
            yield str(link.get("href") or "").partition("#")[2]
        yield str(link.get("name") or link.get("id") or "")
    before = heading.find_previous_sibling()
    if before is None:
        section = heading.parent
        yield str(section.get("id") or "") if section and section.name in {"section", "div"} else ""
    elif before.name in {"a", "span"} and not before.get_text(strip=True):
        yield str(before.get("name") or before.get("id") or "")


def _drop_number(heading: Tag) -> None:
    """Takes off a section's number: it says where the page stands in a book, and not what it is about."""
    first = next((text for text in heading.find_all(string=True) if text.strip()), None)
    if first:
        first.replace_with(_SECTION_NUMBER.sub("", first))


def _drop_label(caption: Tag) -> None:
    """Takes away what numbers a picture, and the picture's description where it says the same."""
    for image in caption.parent.find_all("img") if caption.parent else []:
        if str(image.get("alt") or "") in caption.get_text():
            image["alt"] = ""
    caption.decompose()


def _open_box(table: Tag) -> None:
    """A table that only draws a frame (around a note, or around the page) becomes what stands in it."""
    rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
    cells = [
        [cell for cell in row.find_all(["td", "th"], recursive=False) if cell.get_text(strip=True)] for row in rows
    ]
    if sum(map(len, cells)) > _MOST_IN_BOX or any(len(row) > 1 for row in cells):
        return
    for cell in [cell for row in rows for cell in row.find_all(["td", "th"], recursive=False)]:
        if not cell.get_text(strip=True):
            cell.decompose()
        elif cell.name == "th":
            cell.name = "strong"
            cell.wrap(Tag(name="p"))
        else:
            cell.name = "div"
    for part in [*rows, *table.find_all(["thead", "tbody", "tfoot"], recursive=False)]:
        part.unwrap()
    table.name = "div"


def _list_definitions(definitions: Tag) -> None:
    """Terms and what they mean become items: Markdown knows no other form that keeps the two together."""
    for group in [*definitions.find_all("div", recursive=False), *definitions.select("dt dt")]:
        group.unwrap()
    definitions.name = "ul"
    terms: list[Tag] = []
    for part in definitions.find_all(["dt", "dd"], recursive=False):
        if part.name == "dt":
            terms.append(part)
        else:
            _name_item(part, terms)
            terms = []
    for term in terms:
        term.name = "li"


def _name_item(meaning: Tag, terms: list[Tag]) -> None:
    """Makes an item of a meaning, with its terms in bold where its text begins."""
    meaning.name = "li"
    begins = next((child for child in meaning.children if str(child).strip()), None)
    place = begins if isinstance(begins, Tag) and begins.name == "p" else meaning
    separator = ": "
    for term in reversed(terms):
        for strong in term.find_all(["strong", "b"]):
            strong.unwrap()
        term.name = "strong"
        place.insert(0, term, separator)
        separator = ", "


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
