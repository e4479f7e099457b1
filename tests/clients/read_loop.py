"""Reads a warehouse over and over while it is written to, and wants one release in each answer.

Usage: read_loop.py WAREHOUSE EXPECTED STOP

EXPECTED is a JSON list of [release, answers, sum of scores, customers]. DuckDB reads the views in
one query across tables and one table by delta_scan; Polars reads the table's Delta log. It goes on
until the file STOP is there, then once more, and prints how often each client read and how many
different releases it saw.
"""

import json
import pathlib
import re
import sys

import duckdb
import polars as pl
from duckdb_extensions import import_extension  # noqa: F401


def main():
    warehouse, expected, stop = map(pathlib.Path, sys.argv[1:])
    rows = json.loads(expected.read_text())
    by_release = {release: tuple(rest) for release, *rest in rows}
    of_feedback = {rest[:2]: release for release, rest in by_release.items()}
    con = duckdb.connect()
    con.execute("load delta")
    feedback = str(warehouse / "tables" / "feedback")
    seen = {"views": [], "delta_scan": [], "polars": []}
    is_last = False
    while not is_last:
        is_last = stop.exists()
        text = (warehouse / "catalog" / "views.sql").read_text()
        release = int(re.match(r"-- Release (\d+)\.", text)[1])
        con.execute(text)
        found = con.sql(
            "select (select count(*) from feedback), (select sum(score) from feedback),"
            " (select count(*) from customers)"
        ).fetchone()
        assert tuple(map(int, found)) == by_release[release], (release, found)
        seen["views"].append(release)
        found = con.sql(f"select count(*), sum(score) from delta_scan('{feedback}')").fetchone()
        seen["delta_scan"].append(of_feedback[tuple(map(int, found))])
        found = pl.read_delta(feedback)
        seen["polars"].append(of_feedback[(found.height, int(found["score"].sum()))])
    for client, releases in seen.items():
        # A reader never goes back in time, and ends at the newest.
        assert releases == sorted(releases), (client, releases)
        assert releases[-1] == max(by_release), (client, releases[-1])
    print(json.dumps({client: [len(all), len(set(all))] for client, all in seen.items()}))


if __name__ == "__main__":
    main()
