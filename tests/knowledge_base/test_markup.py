import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.markup import meaningful_alt, plain_markdown


def read(text: str, *, mdx: bool = False) -> str:
    return plain_markdown(textwrap.dedent(text), mdx=mdx).strip("\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("See [the fees](https://x.example/fees).", "See the fees."),
        ('See [the `fees` page](../fees.md#all "All fees").', "See the `fees` page."),
        ("See [brackets [inside] it](a(b).md).", "See brackets [inside] it."),
        ("See [a reference][fees] and [another][].", "See a reference and another."),
        ("<https://x.example> or <help@x.example>", "https://x.example or help@x.example"),
        ("a[^1] note\n\n[^1]: The note.", "a note\n\nThe note."),
        ("text\n\n[fees]: https://x.example 'Fees'\n", "text"),
        ("- [ ] open\n- [x] done", "- [ ] open\n- [x] done"),
        ("An array is `a[0](1)`.", "An array is `a[0](1)`."),
        ("\\[not a link](x)", "\\[not a link](x)"),
    ],
)
def test_links_become_their_text(source: str, expected: str):
    assert read(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("![The invoice page](/img/a.png)", "The invoice page"),
        ("![](/img/a.png) text", "text"),
        ("![screenshot](a.png)", ""),
        ("![image 2024.png](a.png)", ""),
        ("[![Open the app](badge.svg)](https://x.example)", "Open the app"),
        ('<img src="/img/a.png" alt="The invoice page" width="300" />', "The invoice page"),
        ("`![not an image](a.png)`", "`![not an image](a.png)`"),
    ],
)
def test_images_become_what_they_say(source: str, expected: str):
    assert read(source) == expected


def test_an_image_is_described_by_two_words_at_least():
    assert meaningful_alt("  The   menu ") == "The menu"
    assert meaningful_alt("logo") == ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("before <!-- a\n\ncomment --> after", "before  after"),
        ("before {/* a comment */} after", "before  after"),
        ("before <!-- never closed", "before"),
        ("`<!-- code -->`", "`<!-- code -->`"),
        ("a<br/>b<br>c", "a\nb\nc"),
        ("press <kbd>Ctrl</kbd> and <b>hold</b>", "press Ctrl and hold"),
        ("go to https://<your-domain>/api", "go to https://<your-domain>/api"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("<script>alert(1)</script>text", "text"),
        ("<details>\n<summary>More</summary>\nHidden text\n</details>", "More\n\nHidden text"),
    ],
)
def test_comments_and_elements(source: str, expected: str):
    assert read(source) == expected


def test_code_is_left_alone():
    source = textwrap.dedent("""\
        - an item

          ```jsx title="a.jsx"
          import x from 'y'
          :::note
          <Tabs a={1}>[link](x) ![alt text here](y)</Tabs> <!-- kept -->
          ```

        ~~~
        {/* kept */}
        ~~~

        Inline ``code with ` and <b>`` too.
        """)
    assert plain_markdown(source, mdx=True) == source


def test_three_backticks_inside_a_line_are_no_fence():
    assert read("- ```a``` is [b](c)\n- ![two words](d)") == "- ```a``` is b\n- two words"


def test_an_open_fence_reaches_to_the_end():
    assert read("```\n[a](b)\n\n<b>c</b>") == "```\n[a](b)\n\n<b>c</b>"


def test_docusaurus_admonitions():
    source = """\
        Before.

        :::tip[Good to know]
        The text.
        :::

        ::::warning
        :::note Nested title
        Inner.
        :::
        ::::
        """
    assert read(source) == "Before.\n\n**Good to know**\n\nThe text.\n\n**Nested title**\n\nInner."


def test_mkdocs_admonitions_and_tabs():
    source = """\
        !!! note "Good to know"
            The text.

            - a list

        === "Linux"
            Use apt.
        ??? question
            Folded.

        After.
        """
    expected = "**Good to know**\n\nThe text.\n\n- a list\n\n**Linux**\n\nUse apt.\n\nFolded.\n\nAfter."
    assert read(source) == expected


def test_a_heading_underlined_with_equals_signs_is_no_tab():
    assert read("Title\n===\n\ntext") == "Title\n===\n\ntext"


class TestComponents:
    def test_modules_go_and_children_stay(self):
        source = """\
            import Tabs from '@theme/Tabs';
            import {
              a,
              b,
            } from './x'
            export const meta = {
              title: 'x',

              more: [1],
            }

            # Title

            <Tabs groupId="os" onClick={() => { go({a: 1}) }}>
              <TabItem value="linux" label="On Linux">
                Use `apt`.
              </TabItem>
            </Tabs>

            import what you need, says the text.
            """
        expected = "# Title\n\n  **On Linux**\n\n    Use `apt`.\n\nimport what you need, says the text."
        assert [line.strip() for line in read(source, mdx=True).split("\n")] == [
            line.strip() for line in expected.split("\n")
        ]

    def test_in_plain_markdown_only_whole_import_lines_go(self):
        source = "import A from './a';\nexport your data\nimport your data from the app\nexport const a = 1"
        assert read(source) == "export your data\nimport your data from the app\nexport const a = 1"

    def test_keys_and_names_are_words(self):
        assert read('Press <Key mod="cmd shift" k="z" />.') == "Press cmd+shift+z."
        assert read('<Badge text="New" variant="info"/> feature') == "New feature"
        assert read("<Spacer height={3} />text") == "text"

    def test_expressions_are_values_of_a_program_only_in_mdx(self):
        assert read("a {props.x} b {'text'} {\"more\"}", mdx=True) == "a  b text more"
        assert read("a {{ variable }} b") == "a {{ variable }} b"
        assert read("## Heading {#its-id}", mdx=True) == "## Heading {#its-id}"

    def test_fragments(self):
        assert read("<>\ntext\n</>", mdx=True) == "text"


def test_blank_lines_are_folded():
    assert plain_markdown("\n\na\n\n\n\n\nb\n \n \nc\n\n") == "a\n\nb\n\nc\n"
    assert plain_markdown(" \n\n") == ""


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab `~<>/[](){}!#*-\n:=\"'\\@.1|", max_size=60), st.booleans())
def test_any_text_is_read(text: str, mdx: bool):
    once = plain_markdown(text, mdx=mdx)
    assert once == "" or once.endswith("\n")
    assert "\n\n\n" not in once or "```" in text or "~~~" in text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="abcdefgh éü", min_size=1, max_size=12).map(str.strip), min_size=1, max_size=5))
def test_prose_is_not_changed(paragraphs: list[str]):
    text = "\n\n".join(filter(None, paragraphs))
    assert plain_markdown(text).strip() == text.strip()


@pytest.mark.parametrize(
    "piece",
    ["<A {", '<a "', "{/*", "<script>", "~~~", "`` `", "![", "[a](", "[[", "<!--", "export const a = {\n", '[a]: b "'],
)
def test_hostile_repetition_is_read_in_linear_time(piece: str):
    # Quadratic time would take minutes here, which the time limit of the test run would cut off.
    assert isinstance(plain_markdown(piece * (150_000 // len(piece)), mdx=True), str)
