"""An account's own id is readable, unique, and cannot be taken by somebody on another doorway."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tools.identities.accounts import Account, Doorway

ACCOUNTS = st.builds(Account, st.sampled_from(get_args(Doorway)), st.text(min_size=1, max_size=30))


@given(ACCOUNTS)
def test_an_id_leads_back_to_its_account(account: Account) -> None:
    assert Account.of(account.user_id) == account


@given(ACCOUNTS, ACCOUNTS)
def test_two_accounts_never_share_an_id(one: Account, other: Account) -> None:
    assert (one.user_id == other.user_id) == (one == other)


def test_ids_are_as_people_expect_them() -> None:
    assert Account("web", "ada").user_id == "ada"
    assert Account("slack", "T1:U1").user_id == "slack:T1:U1"
    assert Account("discord", "42").user_id == "discord:42"
    assert Account("web", "slack:T1:U1").user_id == "web:slack:T1:U1"
