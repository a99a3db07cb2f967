"""`manage.py up`: web, worker, beat and broker on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...standalone import CannotStart, Standalone


class Command(BaseCommand):
    help = "Bring up web, worker, beat and, unless REDIS_URL is set, a Redis-compatible server; stop with Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8000, help="Where the web server listens. Default: 8000."
        )
        parser.add_argument("--demo", action="store_true", help="Create sample data, and an admin user.")

    def handle(self, *args: Any, port: int, demo: bool, **options: Any) -> None:
        try:
            standalone = Standalone(port=port)
            standalone.release()
            self._say(port)
            if demo:
                self._create_demo()
        except CannotStart as reason:
            raise CommandError(str(reason)) from reason
        except KeyboardInterrupt:
            raise SystemExit(128 + signal.SIGINT) from None
        raise SystemExit(standalone.run())

    def _say(self, port: int) -> None:
        home = f"http://127.0.0.1:{port}"
        self.stdout.write(f"Admin:         {home}/admin/")
        self.stdout.write(f"Maintenance:   {home}/admin/maintenance/run/")
        self.stdout.write(f"Token request: {home}/o/token/    Authorization: {home}/o/authorize/")
        self.stdout.write("Stop with Ctrl-C.")
        self.stdout.flush()

    def _create_demo(self) -> None:
        from ...demo import create_demo

        demo = create_demo()
        self.stdout.write(f"Log in as:     {demo.admin} / {demo.password}")
        self.stdout.write(f"Client:        {demo.client_id} / {demo.client_secret}")
        self.stdout.write(f"Sample data:   {demo.tokens} tokens")
        self.stdout.flush()
