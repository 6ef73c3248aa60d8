import io
import zipfile
from datetime import date
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.errors import DocumentRejected
from knowledge_base.loaders import is_supported, load, readable_names
from knowledge_base.passage import Document


def read(data: bytes | str, name: str = "kb/page.md") -> Document:
    return load(data.encode() if isinstance(data, str) else data, PurePosixPath(name), id=name, source=name)


def reason(data: bytes | str, name: str = "kb/page.md") -> str:
    with pytest.raises(DocumentRejected) as caught:
        read(data, name)
    return str(caught.value)


class TestFrontMatter:
    def test_every_known_key(self):
        document = read(
            "---\ntitle: Fees & taxes\ntopic: Fees\ncategory: Money\ntags: [fees, VAT, fees]\nlevel: beginner\n"
            "updated: 2026-09-15\nurl: https://help.example/fees\nunknown: {any: thing}\n---\n\n# Other\n\nText.\n"
        )
        assert document.title == "Fees & taxes"
        assert (document.topic, document.category, document.level) == ("Fees", "Money", "beginner")
        assert document.tags == ("fees", "VAT")
        assert document.updated == date(2026, 9, 15)
        assert document.url == "https://help.example/fees"
        assert document.text == "# Other\n\nText.\n"

    @pytest.mark.parametrize(
        ("line", "title"),
        [
            ("title: Yes", "Yes"),
            ("title: 2024", "2024"),
            ("title: 'Tips & Tricks'", "Tips & Tricks"),
            ("title: null", "Page"),
            ("title:", "Page"),
            ("sidebar_label: Short", "Short"),
            ("title: >\n  two\n  lines", "two lines"),
        ],
    )
    def test_titles_are_what_stands_there(self, line: str, title: str):
        assert read(f"---\n{line}\n---\nText.").title == title

    @pytest.mark.parametrize(
        ("line", "tags"),
        [
            ("tags: fees, VAT", ("fees", "VAT")),
            ("tags:\n  - label: Fees\n    permalink: /fees", ("Fees",)),
            ("tags: []", ()),
            ("tags:", ()),
            ("tags: [1, 2]", ("1", "2")),
        ],
    )
    def test_tags_in_every_usual_form(self, line: str, tags: tuple[str, ...]):
        assert read(f"---\n{line}\n---\nText.").tags == tags

    @pytest.mark.parametrize(
        ("front", "expected"),
        [
            ("title: [a, b]", "`title` must be one text, found a list"),
            ("topic: {a: b}", "`topic` must be one text, found a mapping"),
            ("tags: {a: b}", "`tags` must be a list of texts, found a mapping"),
            ("tags: [[a]]", "`tags` must be a list of texts"),
            ("updated: soon", "`updated` must be a date like 2026-01-31, found 'soon'"),
            ("updated: 2026-02-30", "`updated` must be a date"),
            ("url: javascript:alert(1)", "`url` must start with http://, https:// or /"),
            ("- a\n- b", "must be lines of `key: value`, found a list"),
            ("title: {a", "not valid YAML: line 3"),
            ("a: b\ntitle: 'x", "not valid YAML"),
            ("title: a: b", "not valid YAML: line 2"),
            ("x: " + "[" * 5000, "front matter"),
        ],
    )
    def test_what_is_wrong_is_said(self, front: str, expected: str):
        assert expected in reason(f"---\n{front}\n---\nText.")

    def test_never_closed(self):
        assert reason("---\ntitle: a\n\nText.") == "front matter is opened with --- and never closed with ---"

    def test_a_rule_at_the_top_is_no_front_matter(self):
        assert read("---\n\nText, and more.\n\n---\n\nEnd.").text == "---\n\nText, and more.\n\n---\n\nEnd.\n"
        assert read("---\nText").text == "---\nText\n"

    def test_windows_line_ends_and_a_byte_order_mark(self):
        assert read(b"\xef\xbb\xbf---\r\ntitle: A\r\n---\r\nText.\r\n").title == "A"

    def test_aliases_cannot_explode(self):
        bomb = "a: &a [x, x]\n" + "".join(
            f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        )
        assert "`tags` must be a list of texts" in reason(f"---\n{bomb}tags: *i\n---\nText.")


class TestNames:
    @pytest.mark.parametrize(
        ("place", "name", "folder"),
        [
            ("kb/bank-sync/gocardless_setup.md", "Gocardless setup", "Bank sync"),
            ("kb/bank-sync/index.md", "Bank sync", "Bank sync"),
            ("kb/README.md", "Kb", None),
            ("kb/faq.md", "Faq", None),
            ("kb/budgeting__rules__custom.md", "Custom", "Rules"),
            ("kb/budgeting__index.md", "Budgeting", "Budgeting"),
            ("kb/a/b/c.d.md", "C d", "B"),
        ],
    )
    def test_of_a_file_and_its_folder(self, place: str, name: str, folder: str | None):
        assert readable_names(PurePosixPath(place)) == (name, folder)

    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Intro.\n\n# The *first* `heading` {#id}\n\n# Second", "The first heading"),
            ("```\n# not this\n```\n\n# This #\n", "This"),
            ("Underlined\n==========\n\nText", "Underlined"),
            ("## Only a second level\n\nText", "Page"),
            ("#hashtag\n\nText", "Page"),
        ],
    )
    def test_the_first_heading_is_the_title(self, text: str, title: str):
        assert read(text).title == title

    def test_a_topic_comes_from_the_nearest_that_says_one(self):
        assert read("---\ntopic: T\ncategory: C\n---\nx", "kb/folder/page.md").topic == "T"
        assert read("---\ncategory: C\n---\nx", "kb/folder/page.md").topic == "C"
        assert read("# Title\n\nx", "kb/folder/page.md").topic == "Folder"
        assert read("# Title\n\nx", "kb/page.md").topic == "Title"

    def test_supported_names(self):
        names = ("a.md", "a.MDX", "a.html", "a.txt", "a.PDF", "a.docx", "a.png", "a", "a.doc")
        assert [is_supported(name) for name in names] == [True] * 6 + [False] * 3


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
    def test_are_recognised(self, encoding: str):
        text = "# Gebühren\n\nFür „Größe“ zahlt man 5 € – naïve cafés, señor. The rest of this is English.\n"
        assert read(text.encode(encoding)).text == text

    def test_cyrillic_without_a_mark(self):
        text = "# Оплата\n\nКак изменить способ оплаты подписки? Откройте настройки и выберите раздел «Оплата».\n" * 5
        assert "способ оплаты" in read(text.encode("cp1251")).text

    def test_what_cannot_be_told_is_refused(self):
        assert "save it as UTF-8" in reason(bytes(range(128, 256)) * 3)

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"", "is empty"),
            (b" \n\t\n", "is empty"),
            (b"\x89PNG\r\n\x1a\n" + bytes(50), "holds a PNG image, not text"),
            (b"%PDF-1.7 ...", "holds a PDF, not text"),
            (b"PK\x03\x04....", "holds a ZIP archive"),
            (b"abc\x00def\x01\x02", "binary data"),
            (b"\xff\xfea\x00b", "broken at byte"),
            (b"\x01\x02\x03\x04text", "binary data"),
            (b"<!-- only a comment -->", "holds no text"),
        ],
    )
    def test_what_is_no_text_is_refused(self, data: bytes, expected: str):
        assert expected in reason(data)

    def test_composed_letters(self):
        assert read("cafe\u0301").text == "café\n"

    @settings(deadline=None)
    @given(st.binary(max_size=300), st.sampled_from([".md", ".mdx", ".html", ".txt", ".pdf", ".docx"]))
    def test_any_bytes_are_a_document_or_refused(self, data: bytes, suffix: str):
        document, refused = None, ""
        try:
            document = read(data, f"kb/page{suffix}")
        except DocumentRejected as error:
            refused = str(error)
        assert refused or (document and document.title and document.text.strip())


class TestHtml:
    PAGE = """<!doctype html><html><head><title>Fees – Example Help</title>
        <link rel="canonical" href="https://help.example/fees"><meta charset="utf-8">
        <meta property="article:modified_time" content="2026-03-04T10:00:00Z"></head>
        <body><header><nav><a href="/">Home</a> <a href="/x">Products</a></nav></header>
        <main><h1>What it <em>costs</em></h1><p>You pay <a href="/plans">a plan</a>.<!-- hidden --></p>
        <h2 id="plans">Plans<a class="headerlink" href="#plans">¶</a></h2>
        <ul><li>Starter</li><li>Team<ul><li>per seat</li></ul></li></ul>
        <ol><li>One</li><li>Two</li></ol>
        <table><tr><th>Plan</th><th>Price</th></tr><tr><td>Team</td><td>€49</td></tr></table>
        <pre><code class="language-bash">curl https://x\n  -H a_b</code></pre>
        <img src="a.png" alt="The price table"><img src="b.png" alt="logo">
        <script>track()</script></main><footer>© Example</footer></body></html>"""

    def test_the_main_content_as_markdown(self):
        document = read(self.PAGE, "kb/fees.html")
        assert document.title == "What it costs"
        assert document.url == "https://help.example/fees"
        assert document.updated == date(2026, 3, 4)
        assert document.text == (
            "# What it *costs*\n\nYou pay a plan.\n\n## Plans {#plans}\n\n"
            "- Starter\n- Team\n  - per seat\n\n1. One\n2. Two\n\n"
            "| Plan | Price |\n| --- | --- |\n| Team | €49 |\n\n"
            "```bash\ncurl https://x\n  -H a_b\n```\n\nThe price table\n"
        )

    def test_a_page_that_does_not_say_what_is_main(self):
        body = "<div id=top><nav>Menu</nav></div><header>Shop</header><div><p>Text.</p></div>"
        page = f"<title>Plans | Example</title><body>{body}"
        document = read(page, "kb/a.html")
        assert (document.title, document.text) == ("Plans", "Text.\n")

    @pytest.mark.parametrize("name", ["class=navheader", "class='page-nav wide'", "id=toc", "class=breadcrumb"])
    def test_what_is_called_navigation_is_not_read(self, name: str):
        page = f"<div {name}><table><tr><td>Prev</td><th>Plans</th></tr></table></div><p>Text.</p>"
        assert read(page, "kb/a.html").text == "Text.\n"

    def test_a_page_inside_what_is_called_navigation_stays(self):
        page = "<div class=sidebar><h1>Plans</h1><p>Text.</p></div><div class=navigating>More.</div>"
        assert read(page, "kb/a.html").text == "# Plans\n\nText.\n\nMore.\n"

    @pytest.mark.parametrize(
        "heading",
        [
            "<h2><a name='plans'></a>Plans</h2>",
            "<h2>Plans<a class=headerlink href='page.html#plans'>¶</a></h2>",
            "<section id=plans><h2>Plans</h2></section>",
            "<p>Before.</p><a name=plans></a><h2>Plans</h2>",
        ],
    )
    def test_fragments_of_headings_wherever_they_stand(self, heading: str):
        assert "## Plans {#plans}" in read(f"<h1>Help</h1>{heading}", "kb/a.html").text

    def test_a_number_is_no_part_of_a_title(self):
        page = "<head><title>4.2. Plans</title></head><h2>4.2. <b>Plans</b></h2><h3>A.1.2. Team</h3><h3>3. Pay</h3>"
        document = read(page, "kb/a.html")
        assert document.title == "Plans"
        assert document.text == "## **Plans**\n\n### Team\n\n### 3. Pay\n"

    def test_terms_and_their_meanings_are_items(self):
        page = (
            "<dl><dt><strong><b>Seat</b></strong></dt><dd><p>A person.</p><p>Or a robot.</p></dd>"
            "<div><dt><code>-q</code></dt><dt><code>--quiet</code></dt><dd>Says <i>little</i>.</dd></div>"
            "<dt>Plan</dt><dd><dl><dt>Team</dt><dd>For many.</dd></dl></dd><dt>Alone</dt></dl>"
        )
        assert read(page, "kb/a.html").text == (
            "- **Seat**: A person.\n\n  Or a robot.\n- **`-q`**, **`--quiet`**: Says *little*.\n"
            "- **Plan**:\n  - **Team**: For many.\n- Alone\n"
        )

    def test_a_table_that_draws_a_frame_is_none(self):
        page = (
            "<table><tr><td><img src=note.png></td><th>Note</th></tr>"
            "<tr><td colspan=2><p>Take <b><b>care</b></b>.</p><ul><li>Now</li></ul></td></tr></table>"
        )
        assert read(page, "kb/a.html").text == "**Note**\n\nTake **care**.\n\n- Now\n"

    def test_an_encoding_that_the_page_declares(self):
        page = '<meta charset="windows-1251"><p>Привет, мир</p>'.encode("cp1251")
        assert read(page, "kb/a.html").text == "Привет, мир\n"

    def test_elements_nested_beyond_reason(self):
        assert reason("<div>" * 30_000 + "x", "kb/a.html") == "is nested too deeply"

    def test_nothing_to_read(self):
        assert reason("<html><body><nav>Menu</nav></body></html>", "kb/a.html") == "holds no text"

    def test_a_line_break_in_the_source_is_none_on_the_page(self):
        text = read("<h1>A</h1><p>Open it with\n   File → Open\n or a key.</p><pre>a\n  b</pre>", "kb/a.html").text
        assert text == "# A\n\nOpen it with File → Open or a key.\n\n```\na\n  b\n```\n"

    def test_the_label_of_a_picture_goes_with_it(self):
        figure = (
            '<figure><img src="x.png" alt="The open drawer"><figcaption>Figure 2. The open drawer</figcaption></figure>'
        )
        assert read(f"<h1>A</h1><p>Pull.</p>{figure}", "kb/a.html").text == "# A\n\nPull.\n"

    def test_a_caption_that_says_something_stays(self):
        figure = "<figure><figcaption>Pull it with both hands.</figcaption></figure>"
        assert "both hands" in read(f"<h1>A</h1>{figure}", "kb/a.html").text


class TestPlainText:
    def test_a_short_first_line_is_the_title(self):
        assert read("Release notes\n\nText.", "kb/a.txt").title == "Release notes"

    def test_a_sentence_is_no_title(self):
        assert read("This is a sentence.\n\nText.", "kb/a.txt").title == "A"


class TestDocx:
    def make(self) -> bytes:
        import docx

        document = docx.Document()
        document.add_heading("The manual", 0)
        document.add_paragraph("An introduction.")
        document.add_heading("Set-up", 1)
        document.add_paragraph("First", style="List Number")
        document.add_paragraph("Second", style="List Number")
        table = document.add_table(rows=2, cols=2)
        for cell, text in zip(table._cells, ("Plan", "Price", "Team", "49"), strict=True):
            cell.text = text
        stream = io.BytesIO()
        document.save(stream)
        return stream.getvalue()

    def test_headings_lists_and_tables(self):
        document = read(self.make(), "kb/a.docx")
        assert document.title == "The manual"
        assert "# The manual\n\nAn introduction.\n\n# Set-up\n\n1. First\n2. Second" in document.text
        assert "| Plan | Price |" in document.text
        assert "| Team | 49 |" in document.text

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"no archive", "is not a Word document"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "is encrypted or an old .doc file"),
        ],
    )
    def test_what_is_none(self, data: bytes, expected: str):
        assert expected in reason(data, "kb/a.docx")

    def test_an_archive_of_something_else(self):
        assert "has no word/document.xml" in reason(self.archive({"a.txt": b"x"}), "kb/a.docx")

    def test_broken_inside(self):
        data = self.archive({"word/document.xml": b"<not closed", "[Content_Types].xml": b"<Types/>"})
        assert reason(data, "kb/a.docx").startswith("is a broken Word document")

    def test_a_bomb_is_not_unpacked(self):
        data = self.archive({"word/document.xml": bytes(210 * 2**20)})
        assert reason(data, "kb/a.docx") == "unpacks to 210 MB; at most 200 MB are read"

    def archive(self, files: dict[str, bytes]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return stream.getvalue()


def test_an_unknown_format():
    assert reason("x", "kb/a.rtf").startswith("has a format that is not read. Known are: .docx, .htm")


def test_the_digest_is_of_the_bytes():
    assert read("a").content_hash == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
