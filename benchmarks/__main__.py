"""Run benchmarks: fill a database, copy it for each turn, let the contenders take turns, print the ratios."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from typing import Any

from tests.compat.peer import PEER_VERSION

from .cases import CASES, Case
from .data import script
from .results import Result, machine, record
from .server import Server, server
from .sides import Contender, migrate, run

TABLES = ("accesstoken", "refreshtoken", "idtoken", "grant")


def main() -> None:
    options = _options()
    names = list(CASES) if options.case == "all" else [options.case]
    with server(options.database_url) as database_server:
        for name in names:
            result = measure(name, CASES[name], database_server, options)
            say(result.table() + "\n")
            if options.record:
                record(result)
    say(machine())


def measure(name: str, case: Case, database_server: Server, options: argparse.Namespace) -> Result:
    """Return what the contenders of `case` needed, round by round, each on a copy of the same data."""
    fill(case.mix, options.rows, database_server)
    turns: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in case.contenders}
    for number in range(options.rounds):
        first = number % len(case.contenders)  # whoever begins finds the server as nobody else does
        for contender in case.contenders[first:] + case.contenders[:first]:
            measured = take_turn(contender, case, database_server, options)
            turns[contender.name].append(measured)
            say(f"{name} round {number + 1} {contender.name}: {measured['seconds']:.2f} s")
        _compare_rows(case, turns)
    versions = {
        "Python": sys.version.split()[0],
        "Django": turns[case.contenders[0].name][0]["django"],
        "django-oauth-toolkit": PEER_VERSION,
        "psycopg": version("psycopg"),
        "on": database_server.version,
    }
    return Result(name=name, case=case, rows=options.rows, turns=turns, versions=versions)


def fill(mix: str, rows: int, database_server: Server) -> None:
    """Make the two templates: the toolkit's database, filled, and a copy of it that this project took over."""
    migrate("peer", database_server.create("peer"))
    database_server.execute("peer", script(mix, rows))
    migrate("ours", database_server.create("ours", template="peer"))
    for side in ("peer", "ours"):
        database_server.execute(side, "VACUUM ANALYZE")


def take_turn(
    contender: Contender, case: Case, database_server: Server, options: argparse.Namespace
) -> dict[str, Any]:
    database = database_server.create("turn", template=contender.side)
    measured = run(
        contender,
        database=database,
        provider=dict(case.provider),
        window=options.window,
        requests=options.requests,
    )
    measured["left"] = database_server.count_rows("turn", TABLES)
    return measured


def _compare_rows(case: Case, turns: dict[str, list[dict[str, Any]]]) -> None:
    left = {name: measured[-1]["left"] for name, measured in turns.items()}
    if case.unit == "s" and len({str(rows) for rows in left.values()}) > 1:
        say(f"the contenders did not do the same work; rows left: {left}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("case", choices=[*CASES, "all"])
    parser.add_argument("--rows", type=int, default=100_000, help="access tokens in the database")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=10_000, help="rows a window of the hand-written SQL")
    parser.add_argument("--requests", type=int, default=300, help="requests a turn")
    parser.add_argument("--database-url", help="a PostgreSQL to make databases on, in place of the wheel's")
    parser.add_argument("--record", action="store_true", help="keep the results in docs/")
    return parser.parse_args()


if __name__ == "__main__":
    main()
