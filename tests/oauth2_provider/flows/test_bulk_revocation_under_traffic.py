"""Revoking a user's credentials while the user's clients refresh and exchange codes as fast as they can."""

from __future__ import annotations

import pytest

from oauth2_provider.flows.bulk_revocation import Holder, revoke_credentials
from oauth2_provider.models import AccessToken, Grant, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_servers
from tests.oauth2_provider.credentials import make_client, make_user
from tests.oauth2_provider.traffic import Session, Traffic
from tests.servers import wait_until


@on_servers
@pytest.mark.parametrize("rotates", [True, False])
def test_no_client_keeps_anything_that_came_out_of_what_was_given_before(
    engine: EngineDatabase, rotates: bool, settings: object
) -> None:
    settings.OAUTH2_PROVIDER = {"ROTATE_REFRESH_TOKEN": rotates}  # type: ignore[attr-defined]
    ann, bob = make_user("ann"), make_user("bob")
    application = make_client("client")
    traffic = Traffic()
    refreshing = [Session(ann, application, f"refresh {number}").start() for number in range(3)]
    exchanging = [Session(ann, application, f"code {number}").start_with_code() for number in range(60)]
    bystander = Session(bob, application, "bob").start()
    for session in refreshing:
        traffic.start(session.step)
    traffic.start(bystander.step)
    waiting = iter(exchanging)

    def exchange() -> bool:
        session = next(waiting, None)
        if session is None:
            return False
        session.step()
        return True

    traffic.start(exchange)
    traffic.wait_for(20)
    wait_until(lambda: any(session.refresh_token for session in exchanging), what="a code that was exchanged")

    revoke_credentials(Holder(users=(ann.pk,)))

    assert not AccessToken.objects.filter(user=ann).exists()
    assert not RefreshToken.objects.filter(user=ann, revoked=None).exists()
    assert not Grant.objects.filter(user=ann, redeemed=None).exists()
    traffic.wait_for(3)  # of the bystander
    traffic.stop()
    assert all(session.is_refused for session in refreshing)
    assert not bystander.is_refused
    assert not AccessToken.objects.filter(user=ann).exists()
    assert any(session.refresh_token for session in exchanging)
    assert any(session.is_refused or session.code for session in exchanging)
