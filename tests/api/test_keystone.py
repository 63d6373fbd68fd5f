"""Callers by tokens of a real OpenStack Keystone: who may see what, and what holds when it is slow, away, or back."""

import asyncio
from datetime import datetime

import pytest

from service.auth.caller import Caller
from tests.api.keystone_world import CACHE_SECONDS, PASSWORD, World, asking
from tests.keystone import ADMIN_PASSWORD, DOMAIN


async def test_who_sees_what(world: World) -> None:
    """An administrator sees all users, a member itself; other projects, domains, the system and nobody see nothing."""
    admin = world.keystone.session("admin", ADMIN_PASSWORD, system_scope="all").get_token()
    unscoped = world.keystone.session(world.name("member"), PASSWORD, unscoped=True).get_token()
    role = world.keystone.roles()["member"]
    world.keystone.ask("PUT", f"domains/default/users/{world.administrator}/roles/{role}")
    of_domain = world.token("administrator", domain_id="default")
    async with asking(world) as asked:
        assert (await asked.get(world.token("administrator")))[0] == 200
        assert asked.seen() == (world.project, None, None, None)
        assert (await asked.get(world.token("member")))[0] == 200
        assert asked.seen() == (world.project, None, None, world.member)
        in_other = world.token("administrator", project_name=world.name("other"))
        assert (await asked.get(in_other, world.other))[0] == 200
        assert asked.seen() == (world.other, None, None, world.administrator)
        seen = len(asked.api.store.asked)
        for token in (in_other, of_domain, admin, unscoped):
            assert await asked.status(token) == (403, "DLI.0016")
        for token in (None, "", "no token", "gAAAAABm" + "A" * 170, "x" * 4_097):
            assert await asked.status(token) == (401, "DLI.0013")
        assert len(asked.api.store.asked) == seen


async def test_an_answer_holds_for_its_time_and_no_longer(world: World) -> None:
    """A revoked token, and one of a disabled user, are refused when the time of the answer is over; so are refusals."""
    async with asking(world) as asked:
        revoked, disabled = world.token("administrator"), world.token("member")
        for token in (revoked, disabled):
            assert (await asked.get(token))[0] == 200
        world.keystone.revoke(revoked)
        world.keystone.ask("PATCH", f"users/{world.member}", {"user": {"enabled": False}})
        asked.clock.now_seconds += CACHE_SECONDS - 1
        before = len(asked.requests)
        for token in (revoked, disabled):
            assert (await asked.get(token))[0] == 200
        assert len(asked.requests) == before
        asked.clock.now_seconds += 1
        for token in (revoked, disabled, revoked):
            assert await asked.status(token) == (401, "DLI.0013")
        assert len(asked.requests) == before + 2
        asked.clock.now_seconds += 2
        assert await asked.status(revoked) == (401, "DLI.0013")
        assert len(asked.requests) == before + 3


async def test_an_answer_never_holds_beyond_the_end_of_the_token(world: World) -> None:
    """Whatever the time that answers hold; Keystone's own word on it is an hour away."""
    async with asking(world) as asked:
        token = world.token("member")
        described = world.keystone.ask("GET", "auth/tokens", headers={"X-Subject-Token": token})
        assert (await asked.get(token))[0] == 200
        ends = datetime.fromisoformat(described["token"]["expires_at"]).timestamp()
        asked.clock.now_seconds += CACHE_SECONDS
        asked.unix_clock.now_seconds = ends - 10
        assert (await asked.get(token))[0] == 200
        asked.clock.now_seconds += 9
        before = len(asked.requests)
        assert (await asked.get(token))[0] == 200
        assert len(asked.requests) == before
        asked.clock.now_seconds += 1
        asked.unix_clock.now_seconds = ends
        assert await asked.status(token) == (401, "DLI.0013")


async def test_a_caller_has_name_and_end_of_its_token(world: World) -> None:
    """As Keystone says them, also while its answer is remembered."""
    async with asking(world) as asked:
        token = world.token("member")
        described = world.keystone.ask("GET", "auth/tokens", headers={"X-Subject-Token": token})["token"]
        ends = datetime.fromisoformat(described["expires_at"]).timestamp()
        expected = Caller(world.project, world.member, False, world.name("member"), ends)
        assert [await asked.authenticator.authenticate(token) for _ in range(2)] == [expected] * 2
        assert asked.requests == ["POST", "GET"]


async def test_one_question_is_under_way_for_a_token(world: World) -> None:
    """However many requests wait for it, and also while our own token is obtained."""
    async with asking(world) as asked:
        token = world.token("member")
        world.keystone.freeze()
        waiting = [asyncio.create_task(asked.get(token)) for _ in range(50)]
        await asyncio.sleep(0)
        world.keystone.thaw()
        assert [status for status, _ in await asyncio.gather(*waiting)] == [200] * 50
        assert asked.requests == ["POST", "GET"]


async def test_our_own_token_is_renewed_before_it_ends(world: World) -> None:
    """Beside the requests; and when it has ended, or Keystone does not know it any more, by who needs it."""
    async with asking(world) as asked:
        tokens = [world.token("member") for _ in range(4)]
        assert (await asked.get(tokens[0]))[0] == 200
        assert asked.requests == ["POST", "GET"]
        ours_seconds = 10 * 365 * 86_400 * 10  # the clock of the test says 1970: it seems to hold for decades
        asked.clock.now_seconds += ours_seconds
        assert (await asked.get(tokens[1]))[0] == 200
        assert sorted(asked.requests) == ["GET", "GET", "POST", "POST"]


async def test_keystone_that_is_away_stops_nobody_whom_it_has_told_of(world: World) -> None:
    """Known tokens go on until their time is over; others get 503, and so do readiness probes, until it is back."""
    async with asking(world) as asked:
        known, unknown = world.token("member"), world.token("administrator")
        assert (await asked.get(known))[0] == 200
        world.keystone.kill()
        try:
            assert (await asked.get(known))[0] == 200
            assert await asked.status(unknown) == (503, "DLI.0012")
            async with asked.api.client.get("/readyz") as response:
                assert response.status == 503
            asked.clock.now_seconds += CACHE_SECONDS
            assert await asked.status(known) == (503, "DLI.0012")
        finally:
            world.keystone.start()
        asked.clock.now_seconds += 1
        assert (await asked.get(known))[0] == 200
        assert (await asked.get(unknown))[0] == 200
        async with asked.api.client.get("/readyz") as response:
            assert response.status == 200


async def test_keystone_that_hangs_is_not_waited_for(world: World) -> None:
    """Who needs its answer gets 503 when patience is over, all others at once; later it is asked again."""
    async with asking(world, patience_seconds=0.3) as asked:
        known, unknown = world.token("member"), world.token("administrator")
        while (await asked.get(known))[0] != 200:  # the first answer may take longer than that
            pass
        world.keystone.freeze()
        try:
            assert await asked.status(unknown) == (503, "DLI.0012")
            assert (await asked.get(known))[0] == 200
        finally:
            world.keystone.thaw()
        while (status := (await asked.get(unknown))[0]) != 200:
            assert status == 503


async def test_a_password_that_keystone_refuses_is_no_callers_fault(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers get 503, and the log names the settings once; Keystone is not asked at every request."""
    async with asking(world, password="not it") as asked:
        for _ in range(5):
            assert await asked.status(world.token("member")) == (503, "DLI.0012")
        assert asked.requests == ["POST"]
    said = [record for record in caplog.records if record.name == "service.auth.keystone_client"]
    assert [record.__dict__["reason"] for record in said] == [
        "Keystone refuses STATS_KEYSTONE_USERNAME, _PASSWORD, _PROJECT and _DOMAIN of this service"
    ]


async def test_a_user_who_may_not_validate_tokens_is_not_ready(world: World) -> None:
    """Everybody may validate the own token: that is no sign of health once a caller's token was forbidden."""
    roles = world.keystone.roles()
    world.keystone.ask("PUT", f"projects/{world.project}/users/{world.service}/roles/{roles['reader']}")
    world.keystone.ask("DELETE", f"projects/{world.project}/users/{world.service}/roles/{roles['service']}")
    async with asking(world) as asked:
        assert await asked.status(world.token("member")) == (503, "DLI.0012")
        async with asked.api.client.get("/readyz") as response:
            assert response.status == 503


async def test_a_clock_that_is_ahead_is_no_callers_fault(world: World) -> None:
    """Our own token seems to have ended when it begins: 503, and not ready."""
    async with asking(world) as asked:
        asked.unix_clock.now_seconds = 5e9
        assert await asked.status(world.token("member")) == (503, "DLI.0012")
        async with asked.api.client.get("/readyz") as response:
            assert response.status == 503


async def test_the_session_of_openstacks_client_finds_us_and_renews_its_token(world: World) -> None:
    """Through an endpoint in the catalogue; at 401 it gets itself another token, and asks again."""
    async with asking(world) as asked:
        service = world.keystone.create("service", name=world.name("statistics"), type=f"statistics-{world.project}")
        url = f"http://127.0.0.1:{asked.api.port}/v2.0/%(project_id)s"
        world.keystone.create("endpoint", service_id=service, interface="public", url=url)
        session = world.keystone.session(
            world.name("member"), PASSWORD, project_name=world.name("project"), project_domain_name=DOMAIN
        )

        def ask() -> int:
            found = {"service_type": f"statistics-{world.project}", "interface": "public"}
            return int(session.get("/gene/statistics", endpoint_filter=found).status_code)

        assert await asyncio.to_thread(ask) == 200
        first = session.get_token()
        assert first is not None
        world.keystone.revoke(first)
        asked.clock.now_seconds += CACHE_SECONDS
        assert await asyncio.to_thread(ask) == 200
        assert session.get_token() != first
