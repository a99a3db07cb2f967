"""The schema of django-oauth-toolkit after 3.4.1: unique refresh tokens, client keys, pushed requests.

Refresh tokens that share a checksum are the same token stored twice. Of these the live one stays, else the one
revoked last; what pointed at another is unhooked first.
"""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Count

import oauth2_provider.models
from oauth2_provider.settings import oauth2_settings


def remove_duplicate_refresh_tokens(apps, schema_editor):
    if oauth2_settings.REFRESH_TOKEN_MODEL != "oauth2_provider.RefreshToken":
        return  # a swapped model's rows are its own app's
    alias = schema_editor.connection.alias
    refresh_token_model = apps.get_model("oauth2_provider", "RefreshToken")
    refresh_tokens = refresh_token_model.objects.using(alias)
    access_tokens = apps.get_model(oauth2_settings.ACCESS_TOKEN_MODEL).objects.using(alias)
    doubled = refresh_tokens.values("token_checksum").annotate(rows=Count("pk")).filter(rows__gt=1)
    for checksum in list(doubled.values_list("token_checksum", flat=True)):
        rows = refresh_tokens.filter(token_checksum=checksum)
        keep = rows.filter(revoked__isnull=True).order_by("-pk").first() or rows.order_by("-revoked", "-pk").first()
        surplus = list(rows.exclude(pk=keep.pk).values_list("pk", flat=True))
        access_tokens.filter(source_refresh_token__in=surplus).update(source_refresh_token=None)
        refresh_tokens.filter(pk__in=surplus).delete()
    if schema_editor.connection.vendor == "postgresql":
        # a table with deferred foreign-key events pending cannot be altered in the same transaction
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


class Migration(migrations.Migration):

    replaces = [
        ('oauth2_provider', '0023_refreshtoken_unique_token_checksum'),
        ('oauth2_provider', '0024_application_client_assertion_fields'),
        ('oauth2_provider', '0025_pushed_authorization_requests'),
    ]

    dependencies = [
        ('oauth2_provider', '0004_squashed_0022_refreshtoken_token_family_index'),
    ]

    operations = [
        migrations.RunPython(remove_duplicate_refresh_tokens, migrations.RunPython.noop),
        migrations.AlterUniqueTogether(
            name='refreshtoken',
            unique_together=set(),
        ),
        migrations.AlterField(
            model_name='refreshtoken',
            name='token_checksum',
            field=oauth2_provider.models.TokenChecksumField(max_length=64, unique=True, verbose_name='token checksum'),
        ),
        migrations.AddField(
            model_name='application',
            name='client_jwks',
            field=models.TextField(blank=True, default='', help_text='Public keys of the client, as a JWK Set', verbose_name='client JWKS'),
        ),
        migrations.AddField(
            model_name='application',
            name='client_jwks_uri',
            field=models.CharField(blank=True, default='', help_text='Where the public keys of the client are', max_length=500, verbose_name='client JWKS URI'),
        ),
        migrations.AddField(
            model_name='application',
            name='token_endpoint_auth_method',
            field=models.CharField(blank=True, choices=[('', 'Any supported method'), ('none', 'None (public client)'), ('client_secret_basic', 'Client secret, HTTP Basic'), ('client_secret_post', 'Client secret, request body'), ('client_secret_jwt', 'JWT signed with the client secret'), ('private_key_jwt', 'JWT signed with a private key')], default='', max_length=32, verbose_name='token endpoint authentication method'),
        ),
        migrations.AddField(
            model_name='application',
            name='require_pushed_authorization_requests',
            field=models.BooleanField(blank=True, default=None, help_text='Unknown follows REQUIRE_PUSHED_AUTHORIZATION_REQUESTS', null=True, verbose_name='require pushed authorization requests'),
        ),
        migrations.CreateModel(
            name='PushedAuthorizationRequest',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('request_uri', models.CharField(max_length=255, verbose_name='request URI')),
                ('client_id', models.CharField(db_index=True, max_length=100, verbose_name='client ID')),
                ('parameters', models.JSONField(default=dict, verbose_name='parameters')),
                ('expires', models.DateTimeField(verbose_name='expires')),
                ('created', models.DateTimeField(auto_now_add=True, verbose_name='created')),
            ],
            options={
                'verbose_name': 'pushed authorization request',
                'verbose_name_plural': 'pushed authorization requests',
                'abstract': False,
                'swappable': 'OAUTH2_PROVIDER_PAR_REQUEST_MODEL',
                'constraints': [models.UniqueConstraint(fields=('request_uri',), name='oauth2_provider_pushedauthorizationrequest_unique_request_uri')],
            },
        ),
    ]
