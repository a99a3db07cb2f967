"""clear_expired on a table with much to remove, while clients get, refresh and revoke tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client, override_settings
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, RefreshToken, clear_expired
from tests.databases import EngineDatabase
from tests.engines import on_servers
from tests.oauth2_provider.credentials import make_client, make_user
from tests.oauth2_provider.traffic import Session, Traffic

EXPIRED = 3000


def fill(user: Any, application: Application) -> None:
    """Store expired access tokens, each held by a revoked refresh token and made out of another."""
    long_ago = timezone.now() - timedelta(days=30)
    owner = {"user": user, "application": application}
    spent = RefreshToken.objects.bulk_create(
        RefreshToken(token="", token_checksum=f"spent {number}", revoked=long_ago, **owner)
        for number in range(EXPIRED)
    )
    if spent[0].pk is None:
        spent = list(RefreshToken.objects.filter(token_checksum__startswith="spent "))
    AccessToken.objects.bulk_create(
        AccessToken(
            token="", token_checksum=f"over {number}", expires=long_ago, source_refresh_token=source, **owner
        )
        for number, source in enumerate(spent)
    )
    RefreshToken.objects.bulk_create(
        RefreshToken(
            token="",
            token_checksum=f"holds {access_token.pk}",
            revoked=long_ago,
            access_token=access_token,
            **owner,
        )
        for access_token in AccessToken.objects.filter(expires=long_ago)
    )


@on_servers
@override_settings(OAUTH2_PROVIDER={"CLEAR_EXPIRED_TOKENS_BATCH_SIZE": 200})
def test_clients_notice_nothing_and_lose_nothing(engine: EngineDatabase) -> None:
    user, application = make_user("ann"), make_client("client")
    fill(user, application)
    traffic = Traffic()
    lasting = [Session(user, application, f"lasting {number}").start() for number in range(3)]
    for session in lasting:
        traffic.start(session.step)
    names = iter(range(10_000))

    def come_and_go() -> bool:
        session = Session(user, application, f"short {next(names)}").start_with_code()
        assert session.step()
        answer = Client().post(
            "/o/revoke_token/", {"client_id": application.client_id, "token": str(session.refresh_token)}
        )
        return answer.status_code == 200

    traffic.start(come_and_go)
    traffic.wait_for(10)

    counts = clear_expired()
    while not traffic.errors and traffic.done < 60:
        clear_expired()  # what rotation leaves behind goes while its successors come
    traffic.stop()

    assert counts["oauth2_provider_accesstoken"] >= EXPIRED
    assert counts["oauth2_provider_refreshtoken"] >= 2 * EXPIRED
    assert not any(session.is_refused for session in lasting)
    for session in lasting:
        assert session.step()
    clear_expired()
    assert RefreshToken.objects.filter(revoked=None).count() == len(lasting)
    assert AccessToken.objects.count() == len(lasting)
