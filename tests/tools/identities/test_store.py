"""Accounts become one person by a code, and separate again; codes are hard to guess and easy to lose."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.identities.accounts import Account
from tools.identities.store import IdentityStore, LinkRefused, TooManyAttempts
from tools.identities.tables import link_codes

WEB, SLACK, DISCORD = Account("web", "ada"), Account("slack", "T1:U1"), Account("discord", "42")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, **time: float) -> None:
        self.time += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identities(engine: AsyncEngine, clock: Clock) -> IdentityStore:
    return IdentityStore(engine, clock=clock)


async def join(identities: IdentityStore, account: Account, to: Account) -> str:
    return (await identities.redeem(account, (await identities.issue(to)).code)).id


async def test_an_account_is_itself_until_it_is_linked(identities: IdentityStore) -> None:
    assert await identities.user_of(SLACK) == "slack:T1:U1"
    await join(identities, SLACK, WEB)
    assert await identities.user_of(SLACK) == await identities.user_of(WEB) == "ada"
    assert await identities.user_of(DISCORD) == "discord:42"


async def test_the_id_that_the_web_knows_stays_the_persons(identities: IdentityStore) -> None:
    await join(identities, WEB, SLACK)
    assert await identities.user_of(SLACK) == "ada"
    await join(identities, WEB, DISCORD)
    assert {await identities.user_of(one) for one in (WEB, SLACK, DISCORD)} == {"ada"}


async def test_a_person_has_one_account_on_the_web(identities: IdentityStore) -> None:
    await join(identities, SLACK, WEB)
    code = (await identities.issue(SLACK)).code
    with pytest.raises(LinkRefused, match="Two accounts of the web"):
        await identities.redeem(Account("web", "bob"), code)
    assert await identities.user_of(Account("web", "bob")) == "bob"


async def test_a_code_may_be_typed_as_people_type(identities: IdentityStore) -> None:
    code = (await identities.issue(WEB)).code
    assert (await identities.redeem(SLACK, f" {code.replace('-', '').lower()} ")).person == WEB


async def test_a_code_works_once(identities: IdentityStore) -> None:
    code = (await identities.issue(WEB)).code
    await identities.redeem(SLACK, code)
    with pytest.raises(LinkRefused, match="not valid"):
        await identities.redeem(DISCORD, code)


async def test_of_two_who_use_a_code_at_once_one_is_linked(identities: IdentityStore) -> None:
    code = (await identities.issue(WEB)).code
    tries = [identities.redeem(account, code) for account in (SLACK, DISCORD)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(isinstance(end, LinkRefused) for end in ends) == [False, True]


async def test_a_code_lives_for_ten_minutes(identities: IdentityStore, clock: Clock) -> None:
    issued = await identities.issue(WEB)
    assert issued.expires_at - clock() == timedelta(minutes=10)
    clock.pass_by(minutes=10)
    with pytest.raises(LinkRefused, match="10 minutes"):
        await identities.redeem(SLACK, issued.code)


async def test_a_new_code_replaces_the_one_before(identities: IdentityStore) -> None:
    before, after = await identities.issue(WEB), await identities.issue(WEB)
    with pytest.raises(LinkRefused):
        await identities.redeem(SLACK, before.code)
    await identities.redeem(SLACK, after.code)


async def test_codes_are_not_kept_as_they_are_typed(identities: IdentityStore, engine: AsyncEngine) -> None:
    code = (await identities.issue(WEB)).code
    async with engine.connect() as connection:
        [row] = (await connection.execute(select(link_codes))).mappings()
    assert code not in str(row)
    assert code.replace("-", "") not in str(row)


async def test_codes_are_given_and_tried_a_few_times_an_hour(identities: IdentityStore, clock: Clock) -> None:
    for _ in range(5):
        code = (await identities.issue(WEB)).code
    with pytest.raises(TooManyAttempts, match="wait an hour"):
        await identities.issue(WEB)
    tries = [identities.redeem(SLACK, "BBBB-2222") for _ in range(15)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(end, TooManyAttempts) for end in ends) == 10
    with pytest.raises(TooManyAttempts):
        await identities.redeem(SLACK, code)  # even the right one
    clock.pass_by(hours=1, seconds=1)
    await join(identities, SLACK, WEB)


async def test_one_person_cannot_be_linked_to_themselves(identities: IdentityStore) -> None:
    await join(identities, SLACK, WEB)
    for account in (WEB, SLACK):
        code = (await identities.issue(WEB)).code
        with pytest.raises(LinkRefused, match="linked already"):
            await identities.redeem(account, code)


async def test_two_links_at_once_make_no_circle(identities: IdentityStore) -> None:
    codes = [(await identities.issue(account)).code for account in (SLACK, DISCORD)]
    tries = [identities.redeem(account, code) for account, code in zip((DISCORD, SLACK), codes, strict=True)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, LinkRefused) for end in ends) == 1
    assert await asyncio.wait_for(identities.user_of(SLACK), 5) == await identities.user_of(DISCORD)


async def test_links_are_shown_to_each_account_and_can_be_removed_by_each(identities: IdentityStore) -> None:
    first = await join(identities, SLACK, WEB)
    second = await join(identities, DISCORD, SLACK)
    for account in (WEB, SLACK, DISCORD):
        assert {link.id for link in await identities.links(account)} == {first, second}
    await identities.unlink(DISCORD, first)
    assert await identities.user_of(SLACK) == "slack:T1:U1"
    assert await identities.user_of(DISCORD) == "ada"
    assert [link.id for link in await identities.links(WEB)] == [second]
    assert await identities.links(SLACK) == []


async def test_nobody_removes_the_link_of_another_person(identities: IdentityStore) -> None:
    link = await join(identities, SLACK, WEB)
    for wrong in (link, "nothing"):
        with pytest.raises(LinkRefused, match="no such link"):
            await identities.unlink(DISCORD, wrong)
    assert await identities.user_of(SLACK) == "ada"


async def test_any_order_of_linking_and_unlinking_keeps_people_apart(identities: IdentityStore, clock: Clock) -> None:
    """Two accounts are one person exactly when a chain of links that stand joins them."""
    rng = random.Random(7)  # noqa: S311
    accounts = [WEB, SLACK, DISCORD, Account("web", "bob"), Account("slack", "T2:U2")]
    for _ in range(60):
        clock.pass_by(hours=2)
        one, other = rng.sample(accounts, 2)
        links = await identities.links(one)
        if links and rng.random() < 0.5:
            await identities.unlink(one, rng.choice(links).id)
            await check(identities, accounts)
            continue
        people = {await identities.user_of(account) for account in (one, other)}
        if len(people) == 2 and len(people & {"ada", "bob"}) < 2:
            await join(identities, one, other)
        await check(identities, accounts)


async def check(identities: IdentityStore, accounts: list[Account]) -> None:
    people: dict[str, set[str]] = {}
    for account in accounts:
        people.setdefault(await identities.user_of(account), set()).add(account.user_id)
    for person, members in people.items():
        links = await identities.links(Account.of(person))
        assert len(links) == len(members) - 1
        assert {end.user_id for link in links for end in (link.joined, link.person)} <= members
