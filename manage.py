#!/usr/bin/env python
"""Django's command line, for the deployable project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # it brings up what the environment does not name, and that is for development
        from worker import standalone

        standalone.prepare_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worker.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
