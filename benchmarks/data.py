"""The data: SQL for a database of django-oauth-toolkit 3.4.1, made by the server itself.

`{n}` is the number of access tokens. This project's side is a copy that it has taken over, so both hold the same.
"""

from __future__ import annotations

OWNERS = """
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
  date_joined)
SELECT i, '!', false, 'user' || i, '', '', '', false, true, now() FROM generate_series(1, 10000) i;
INSERT INTO oauth2_provider_application (id, client_id, redirect_uris, client_type, authorization_grant_type,
  client_secret, name, skip_authorization, created, updated, algorithm, post_logout_redirect_uris,
  hash_client_secret, allowed_origins, registration_source)
SELECT i, 'client' || i, '', 'confidential', 'authorization-code', '', 'app' || i, false,
  now() - interval '2 years', now(), '', '', true, '', 'manual' FROM generate_series(1, 200) i;
"""

ID_TOKEN = """INSERT INTO oauth2_provider_idtoken
  (id, jti, expires, scope, created, updated, application_id, user_id) SELECT """
ACCESS_TOKEN = """INSERT INTO oauth2_provider_accesstoken (id, token, token_checksum, expires, scope,
  application_id, user_id, created, updated, resource, id_token_id, source_refresh_token_id) SELECT """
REFRESH_TOKEN = """INSERT INTO oauth2_provider_refreshtoken (id, token, token_checksum, application_id, user_id,
  created, updated, resource, access_token_id, revoked, token_family) SELECT """
GRANT = """INSERT INTO oauth2_provider_grant (id, code, expires, redirect_uri, scope, application_id, user_id,
  created, updated, code_challenge, code_challenge_method, nonce, claims, resource) SELECT """
OWNER = "i % 200 + 1, i % 10000 + 1"

FULL = f"""
CREATE TABLE kinds AS SELECT i, random() AS r, random() < 0.3 AS has_id FROM generate_series(1, {{n}}) i;
{ID_TOKEN} i, gen_random_uuid(),
  now() + CASE WHEN r >= 0.95 THEN interval '10 hours' ELSE interval '-60 days' END, 'openid',
  now() - interval '61 days', now(), {OWNER} FROM kinds WHERE has_id;
{ACCESS_TOKEN} i, md5(i::text), encode(sha256(i::text::bytea), 'hex'),
  CASE WHEN r >= 0.95 THEN now() + interval '10 hours' ELSE now() - interval '60 days' - i * interval '1 ms' END,
  'read write', {OWNER}, now() - interval '61 days' + i * interval '1 ms', now(), '[]',
  CASE WHEN has_id THEN i END, NULL FROM kinds;
{REFRESH_TOKEN} i, md5('r' || i), encode(sha256(('r' || i)::bytea), 'hex'), {OWNER}, now() - interval '61 days',
  now(), '[]', i, CASE WHEN r < 0.85 THEN now() - interval '50 days' END, gen_random_uuid()
  FROM kinds WHERE r >= 0.6;
{GRANT} i, md5('g' || i), now() - interval '30 days', 'https://a.example/', 'read', {OWNER},
  now() - interval '30 days', now(), '', '', '', '', '[]' FROM generate_series(1, {{n}} / 20) i;
DROP TABLE kinds;
"""
"""60 % expired without a refresh token, 25 % with a revoked one, 10 % idle, 5 % live; 30 % with an ID token."""

EVERYDAY = f"""
{ID_TOKEN} i, gen_random_uuid(),
  now() + CASE WHEN i % 116 = 0 AND {{has_expired}} THEN interval '-2 hours' ELSE interval '9 hours' END, 'openid',
  now(), now(), {OWNER} FROM generate_series(1, {{n}} * 3 / 10) i;
{REFRESH_TOKEN} i, md5('o' || i), encode(sha256(('o' || i)::bytea), 'hex'), {OWNER}, now() - interval '2 days',
  now(), '[]', NULL, now() - interval '26 hours' + i * (interval '1 day' / ({{n}} * 775::bigint / 10000))
    + random() * interval '1 hour', gen_random_uuid()
  FROM generate_series(1, {{n}} * 775::bigint / 10000) i WHERE {{has_expired}};
{ACCESS_TOKEN} i, md5(i::text), encode(sha256(i::text::bytea), 'hex'),
  CASE WHEN i % 106 = 0 AND {{has_expired}} THEN now() - random() * interval '1 day'
    ELSE now() + random() * interval '10 hours' + interval '1 hour' END, 'read write', {OWNER},
  now() - interval '1 hour', now(), '[]', CASE WHEN i % 116 <> 0 AND i <= {{n}} * 3 / 10 THEN i END,
  CASE WHEN {{has_expired}} AND i % 26 = 0 AND i / 26 <= {{n}} * 775::bigint / 10000 THEN i / 26 END
  FROM generate_series(1, {{n}}) i;
{REFRESH_TOKEN} {{n}} + i, md5('r' || i), encode(sha256(('r' || i)::bytea), 'hex'), {OWNER},
  now() - interval '1 hour', now(), '[]', i, NULL, gen_random_uuid()
  FROM generate_series(1, {{n}}) i WHERE i % 106 <> 0 AND i % 5 < 3;
{GRANT} i, md5('g' || i), now() - interval '1 hour', 'https://a.example/', 'read', {OWNER}, now(), now(), '', '',
  '', '', '[]' FROM generate_series(1, {{n}} / 20) i WHERE {{has_expired}};
"""
"""All but one in a hundred live; what rotation revoked since yesterday, and codes, are over.

Tokens are rotated in the order in which they were issued, give or take an hour.
"""

ONE_USER = f"""
{ACCESS_TOKEN} i, md5(i::text), encode(sha256(i::text::bytea), 'hex'), now() + interval '10 hours', 'read write',
  i % 200 + 1, CASE WHEN i > {{n}} THEN i % 9999 + 2 ELSE 1 END, now(), now(), '[]', NULL, NULL
  FROM generate_series(1, {{n}} * 11 / 10) i;
{REFRESH_TOKEN} i, md5('r' || i), encode(sha256(('r' || i)::bytea), 'hex'), i % 200 + 1,
  CASE WHEN i > {{n}} THEN i % 9999 + 2 ELSE 1 END, now(), now(), '[]', i, NULL, gen_random_uuid()
  FROM generate_series(1, {{n}} * 11 / 10) i;
"""
"""All tokens live and with a refresh token: `n` of user 1, a tenth of that of others."""

SCOPES = f"""
{ACCESS_TOKEN} i, md5(i::text), encode(sha256(i::text::bytea), 'hex'), now() + interval '10 hours',
  CASE WHEN i % 2 = 0 THEN 'read old write' ELSE 'read write' END, {OWNER}, now(), now(), '[]', NULL, NULL
  FROM generate_series(1, {{n}}) i;
"""
"""All tokens live, half of them with the scope `old`."""

END = "CASE WHEN i % 2 = 0 THEN interval '-200 days' ELSE interval '10 hours' END"
MADE = "now() + CASE WHEN i % 2 = 0 THEN interval '-201 days' ELSE interval '0' END"
HELD = "i % ({n} / 100) + 1, i % 10000 + 1"

APPLICATIONS = f"""
INSERT INTO oauth2_provider_application (id, client_id, redirect_uris, client_type, authorization_grant_type,
  client_secret, name, skip_authorization, created, updated, algorithm, post_logout_redirect_uris,
  hash_client_secret, allowed_origins, registration_source)
SELECT i, 'client' || i, '', 'confidential', 'authorization-code', '', 'app' || i, false,
  now() - interval '2 years', now(), '', '', true, '', 'manual' FROM generate_series(201, {{n}} / 100) i;
{ID_TOKEN} i, gen_random_uuid(), now() + {END}, 'openid', {MADE}, now(), {HELD}
  FROM generate_series(1, {{n}}) i WHERE i / 2 % 10 < 3;
{ACCESS_TOKEN} i, md5(i::text), encode(sha256(i::text::bytea), 'hex'), now() + {END}, 'read', {HELD}, {MADE}, now(),
  '[]', CASE WHEN i / 2 % 10 < 3 THEN i END, NULL FROM generate_series(1, {{n}}) i;
{REFRESH_TOKEN} i, md5('r' || i), encode(sha256(('r' || i)::bytea), 'hex'), {HELD}, {MADE}, now(), '[]', i,
  CASE WHEN i / 2 % 20 >= 15 THEN {MADE} END, gen_random_uuid()
  FROM generate_series(1, {{n}}) i WHERE i / 2 % 20 >= 12;
"""
"""A hundred access tokens an application, 40 % with a refresh token, of which most are revoked, 30 % with an ID token;
half of the applications unused for 200 days."""

SEQUENCES = """
SELECT setval(pg_get_serial_sequence(name, 'id'), 1000000000) FROM unnest(ARRAY['oauth2_provider_accesstoken',
  'oauth2_provider_refreshtoken', 'oauth2_provider_idtoken', 'oauth2_provider_grant',
  'oauth2_provider_application', 'auth_user']) name
"""

MIXES = {
    "full": OWNERS + FULL,
    "everyday": OWNERS + EVERYDAY,
    "nothing": OWNERS + EVERYDAY,
    "one_user": OWNERS + ONE_USER,
    "scopes": OWNERS + SCOPES,
    "applications": OWNERS + APPLICATIONS,
}


def script(mix: str, rows: int) -> str:
    """Return the SQL that fills a database with `rows` access tokens."""
    return MIXES[mix].format(n=rows, has_expired=str(mix != "nothing").lower()) + ";" + SEQUENCES
