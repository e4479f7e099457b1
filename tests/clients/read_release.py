"""Reads a release with every client that docs/bi.md names, and compares what they see.

Usage: read_release.py WAREHOUSE RELEASE [--state FILE] [--pinned FILE] [--docs FILE]

Row counts are compared with the release itself; sums, minima and nulls of every column among
DuckDB by views, DuckDB delta_scan, Polars and delta-rs. `--state` writes what was seen and at
which version; `--pinned` reads those versions again and wants the same. `--docs` runs the code
blocks of a page.
"""

import argparse
import contextlib
import io
import json
import pathlib
import re
import sys

import duckdb
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from duckdb_extensions import import_extension


def summary(con, relation):
    """Rows of a relation, and per column what any loss or change would alter."""
    columns = con.sql(f"describe select * from {relation}").fetchall()
    parts = ["count(*)"]
    for name, kind, *_ in columns:
        parts.append(f'count("{name}")')
        parts.append(f'cast(min("{name}") as varchar)')
        parts.append(f'cast(max("{name}") as varchar)')
        if kind in ("BIGINT", "DOUBLE") or kind.startswith("DECIMAL"):
            parts.append(f'cast(sum("{name}") as varchar)')
        else:
            # Order-free, and blind to nothing: a sum of hashes.
            parts.append(f'cast(sum(hash(cast("{name}" as varchar))) as varchar)')
    kinds = [[name, kind] for name, kind, *_ in columns]
    return [kinds, list(con.sql(f"select {', '.join(parts)} from {relation}").fetchone())]


def connect():
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute("load delta")
    return con


def by_clients(warehouse, tables, views, versions=None):
    """What each client sees of each table, at the newest or at given versions."""
    con = connect()
    con.execute((warehouse / "catalog" / views).read_text())
    seen = {}
    for table in tables:
        path = str(warehouse / "tables" / table)
        version = None if versions is None else versions[table]
        log = DeltaTable(path, version=version)
        at = log.version()
        polars = pl.read_delta(path, version=version)
        arrow = log.to_pyarrow_table()
        con.register("polars_rows", polars.to_arrow())
        con.register("deltars_rows", arrow)
        seen[table] = {
            "version": at,
            "views": summary(con, table),
            "delta_scan": summary(con, f"delta_scan('{path}', version = {at})"),
            "polars": summary(con, "polars_rows"),
            "delta_rs": summary(con, "deltars_rows"),
        }
        if version is None:
            newest = summary(con, f"delta_scan('{path}')")
            assert newest == seen[table]["delta_scan"], f"{table}: newest is not {at}"
        con.unregister("polars_rows")
        con.unregister("deltars_rows")
    return seen


def compare(seen, tables):
    for table, by in seen.items():
        wanted = by["views"]
        assert wanted[1][0] == tables[table]["rows"], f"{table}: {wanted[1][0]} rows by views"
        for client in ("delta_scan", "polars", "delta_rs"):
            assert by[client] == wanted, f"{table}: {client} {by[client]}, views {wanted}"


def compare_metadata(warehouse, tables):
    """Descriptions reach those who look for them: Delta metadata and view comments."""
    con = connect()
    con.execute((warehouse / "catalog" / "views.sql").read_text())
    comments = dict(con.sql("select view_name, comment from duckdb_views()").fetchall())
    for table in tables:
        log = DeltaTable(str(warehouse / "tables" / table))
        assert log.metadata().description == comments[table], table
        for field in log.schema().fields:
            assert field.metadata.get("comment"), f"{table}.{field.name} has no description"
        protocol = log.protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
        adds = pa.table(log.get_add_actions(flatten=True))
        bounds = [name for name in adds.column_names if name.startswith(("min.", "max."))]
        shown = [name for name in bounds if adds[name].null_count < adds.num_rows]
        assert not shown, f"{table} shows values of {shown} in its log"


def run_docs(page, warehouse):
    """Runs each Python and SQL block of a page against the warehouse."""
    blocks = re.findall(r"^```(python|sql)\n(.*?)^```", page.read_text(), re.M | re.S)
    assert len(blocks) >= 8, "the page has lost its examples"
    for language, code in blocks:
        code = code.replace("/data/warehouse", str(warehouse))
        with contextlib.redirect_stdout(io.StringIO()):
            if language == "python":
                exec(compile(code, str(page), "exec"), {})
            else:
                con = connect()
                con.execute((warehouse / "catalog" / "views.sql").read_text())
                # The wheel stands in for the download.
                con.execute(code.replace("install delta;\n", ""))
                assert con.fetchall(), code
    return len(blocks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse", type=pathlib.Path)
    parser.add_argument("release", type=int)
    parser.add_argument("--state", type=pathlib.Path)
    parser.add_argument("--pinned", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path)
    arguments = parser.parse_args()
    import_extension("delta")
    warehouse = arguments.warehouse
    release = json.loads((warehouse / "releases" / f"{arguments.release:08}.json").read_text())
    tables = release["tables"]
    empty = [name for name, table in tables.items() if not table["files"]]
    parted = [name for name, t in tables.items() if any(f.get("partition") for f in t["files"])]
    assert empty and parted, f"nothing to compare: empty {empty}, partitioned {parted}"
    seen = by_clients(warehouse, tables, "views.sql")
    compare(seen, tables)
    compare_metadata(warehouse, tables)
    if arguments.state:
        arguments.state.write_text(json.dumps(seen))
    if arguments.pinned:
        former = json.loads(arguments.pinned.read_text())
        versions = {table: by["version"] for table, by in former.items()}
        number = arguments.release - 1
        again = by_clients(warehouse, former, f"views-{number}.sql", versions)
        assert again == former, "a pinned version changed"
        assert any(seen[table]["version"] != by["version"] for table, by in former.items())
    blocks = run_docs(arguments.docs, warehouse) if arguments.docs else 0
    print(json.dumps({"tables": len(tables), "empty": empty, "partitioned": parted, "blocks": blocks}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
