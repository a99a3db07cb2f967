"""Make requests to the site: JSON lists, of requests on standard input, of responses on standard output.

A request is `{"method", "path", "data", "token"}`, `token` for the Authorization header; a response
`{"status", "body"}`, the body parsed where it is JSON.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.test import Client  # noqa: E402


def respond(request: dict) -> dict:
    headers = {"Authorization": f"Bearer {request['token']}"} if "token" in request else {}
    call = getattr(Client(raise_request_exception=False), request["method"])
    response = call(request["path"], request.get("data", {}), headers=headers)
    body = response.content.decode()
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return {"status": response.status_code, "body": json.loads(body) if is_json else body}


json.dump([respond(request) for request in json.load(sys.stdin)], sys.stdout)
