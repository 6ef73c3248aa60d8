"""Personal data is found where it is, and ordinary text stays as it is."""

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.access.personal_data import find, luhn, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ada.lovelace+news@mail.example.co.uk, please.", "Write to [email], please."),
        ("mailto:ada@example.org!", "mailto:[email]!"),
        ("Ring +44 20 7946 0958 today", "Ring [phone] today"),
        ("Ring (030) 901820-22.", "Ring [phone]."),
        ("Call 555-867-5309 now", "Call [phone] now"),
        ("my number is 0171 2345678", "my number is [phone]"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("5500-0000-0000-0004", "[card]"),
        ("amex 378282246310005", "amex [card]"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."),
        ("GB82WEST12345698765432", "[iban]"),
        ("from 203.0.113.7 and 2001:db8::8a2e:370:7334", "from [ip] and [ip]"),
        ("from ::ffff:203.0.113.7 and ::ffff:0.0.0.0.", "from [ip] and [ip]."),
        ("router at 192.168.1.1.", "router at [ip]."),
        ("key sk-abcdefghijklmnopqrstuvwx here", "key [secret] here"),
        ("password: hunter2hunter2", "password: [secret]"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [secret]"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", "[secret]"),
        ("attune_0123456789ab_" + "A" * 43, "[secret]"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", "token [secret]"),
    ],
)
def test_what_is_personal_is_masked(text: str, masked: str):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "How does escrow work?",
        "Order 4111 1111 1111 1112 has not arrived",  # no card: the check digit is wrong
        "DE89 3704 0044 0532 0130 02 is no account",
        "Version 3.12.1 of 2026-11-21 at 12:34:56",
        "It costs 1,250.00 or 1250 a month",
        "E-1042 and #20394 are error codes",
        "at 10.000 users we pay 3 % [1][2]",
        "127.0.0.1:7860 is this machine",
        "1.2.3.4.5 is a heading",
        "a::b is C++",
        "@ada and ada@ are no addresses",
        "request 8e03978e-40d5-43e8-bc93-6894a57f9324",
        "our password policy asks for twelve characters",
        "2026/11/21 2026-11-21T12:34:56.123456+00:00",
        "",
    ],
)
def test_ordinary_text_stays(text: str):
    assert mask(text) == text


def test_kinds_can_be_spared():
    assert mask("ada@example.org at 203.0.113.7", spare=["ip"]) == "[email] at 203.0.113.7"


@given(st.text(max_size=300))
def test_what_is_found_lies_in_order_and_apart(text: str):
    found = find(text)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


@given(st.text(alphabet=string.ascii_letters + string.digits + " @.:+-()[]/_", max_size=200))
def test_masking_twice_is_masking_once(text: str):
    assert mask(mask(text)) == mask(text)


WORDS = st.text(alphabet="abcdefghij ,", max_size=20).map(lambda text: f"{text} ")


@given(WORDS, st.integers(10**14, 10**15 - 1), WORDS)
def test_a_card_anywhere_is_masked(before: str, number: int, after: str):
    body = "4" + str(number)[1:]
    card = next(body + digit for digit in string.digits if luhn(body + digit))
    assert mask(f"{before}{card} {after}") == f"{before}[card] {after}"


@given(WORDS, st.integers(0, 10**18 - 1), WORDS)
def test_an_account_anywhere_is_masked(before: str, number: int, after: str):
    body = f"{number:018d}"
    check = 98 - int(f"{body}131400") % 97
    assert mask(f"{before}DE{check:02d}{body} {after}") == f"{before}[iban] {after}"


@given(
    WORDS,
    st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z0-9]{1,8})?@[a-z][a-z0-9]{0,10}\.(org|example|co\.uk)", fullmatch=True),
    WORDS,
)
def test_an_address_anywhere_is_masked(before: str, address: str, after: str):
    assert mask(f"{before}{address} {after}") == f"{before}[email] {after}"


@given(st.ip_addresses(v=6).filter(lambda ip: len(str(ip).replace(":", "")) > 4))
def test_every_address_of_version_6_is_masked(address: object):
    assert mask(f"from {address} it came") == "from [ip] it came"


@pytest.mark.parametrize(
    "piece", ["1 ", "a@", "a.", "::", "1-", "AB12 ", "sk-", "password: ", "(1", "1.", "eyJ", "a@b.org "]
)
def test_a_text_that_is_made_to_be_slow_is_masked_all_the_same(piece: str):
    """200 kB: in squared time this would take longer than anyone waits for a test."""
    hostile = piece * (200_000 // len(piece))
    assert mask(f"{hostile}\n write to ann@example.org").endswith("write to [email]")
