"""What happens to rows: values and rows in, rows out. No HttpRequest, no oauthlib. Internal."""

from __future__ import annotations
