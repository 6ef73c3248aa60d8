"""Markdown inside a line, as a reader sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.inline_markup import clean


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Open **Settings** > *Teams*", "Open Settings > Teams"),
        ("See [the _guide_](https://a.example/x_(y)) now", "See the guide now"),
        ("Keep `**this**` and snake_case_name", "Keep `**this**` and snake_case_name"),
        ("As shown [3] and [^note] here [12 ].", "As shown and here."),
        ("![screen](a.png) Click <b>Save</b><br>now", "Click Save now"),
        ("half **bold", "half bold"),
        ("2 * 3 * 4 and a_b", "2 * 3 * 4 and a_b"),
        ("[`code`](x) stays", "`code` stays"),
        ("a ` alone", "a ' alone"),
    ],
)
def test_clean(raw, text):
    assert clean(raw) == text


@given(st.text("ab AB1.!?:;,'\"()[]*_`#>|-+~\\\n\t<&é。", max_size=200))
def test_cleaned_text_is_one_line(raw):
    assert "\n" not in clean(raw)
