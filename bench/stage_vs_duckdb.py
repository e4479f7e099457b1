"""Staging against DuckDB and Polars: one raw export to typed Parquet.

python bench/stage_vs_duckdb.py [ROWS] [FOLDER]

Writes web events of invented people as CSV.gz, NDJSON.gz and Parquet. For each of them DuckDB
(`copy … to`) and Polars (read, `write_parquet`) write its columns typed, as Parquet with zstd; then
cxmart stages it from the same file, as the events of its `generic` source. All use two threads.

The peers are asked for less: no ids, no local dates, no origin of each row, no duplicates found, no
rejects, no checksums. cxmart reads the raw bytes and writes what `cxmart run` writes; the rest of
the run is not waited for. CXMART names the program, CPU seconds are of the process, peak is its
resident memory.
"""

import json
import os
import shutil
import subprocess
import sys
import time

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
FOLDER = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else "/tmp/cxmart-stage-bench")
PROGRAM = os.environ.get("CXMART", "target/release/cxmart")
THREADS = 2
WRITE = "CXMART_BENCH_WRITE"
TYPES = {
    "source_id": "varchar",
    "customer_source_id": "varchar",
    "email": "varchar",
    "session_source_id": "varchar",
    "name": "varchar",
    "channel": "varchar",
    "touchpoint": "varchar",
    "page_url": "varchar",
    "campaign": "varchar",
    "product": "varchar",
    "amount": "decimal(18, 4)",
    "currency": "varchar",
    "occurred_at": "timestamp",
}
FILES = {"csv": "csv.gz", "ndjson": "ndjson.gz", "parquet": "parquet"}

EVENTS = """
create table events as
select
    'e' || i as source_id,
    'u' || (h % 200000) as customer_source_id,
    case when g % 3 = 0 then 'person' || (h % 200000) || '@example.com' end as email,
    's' || (i // 7) as session_source_id,
    ['page_view', 'product_view', 'add_to_cart', 'purchase'][1 + (g % 4)::int] as name,
    ['web', 'app', 'email', 'ads'][1 + (h % 4)::int] as channel,
    'touchpoint ' || (h % 20) as touchpoint,
    'https://shop.example.com/p/' || (g % 5000) || '?ref=' || (h % 97) as page_url,
    case when g % 5 = 0 then 'campaign ' || (g % 40) end as campaign,
    case when g % 2 = 0 then 'sku-' || (g % 3000) end as product,
    case when g % 4 = 3 then ((h % 90000) / 100)::decimal(18, 4) end as amount,
    case when g % 4 = 3 then 'EUR' end as currency,
    strftime(timestamp '2024-01-01' + to_seconds((h % 63072000)::bigint), '%Y-%m-%dT%H:%M:%SZ')
        as occurred_at
from (select i, hash(i) as h, hash(i + 7777777777) as g from range({rows}) as t(i))
"""

JOB = """
name = "bench"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "generic"
entity = "events"
url = "raw/{name}"
"""

POLARS = """
import polars as pl, sys
path, target, columns = sys.argv[1], sys.argv[2], {columns}
if path.endswith("csv.gz"):
    frame = pl.read_csv(path, schema={{name: pl.String for name in columns}})
elif path.endswith("ndjson.gz"):
    frame = pl.read_ndjson(path, schema={{name: pl.String for name in columns}})
else:
    frame = pl.read_parquet(path)
frame = frame.with_columns(
    pl.col("amount").cast(pl.Decimal(18, 4)),
    pl.col("occurred_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us"),
)
frame.write_parquet(target, compression="zstd")
"""

DUCKDB = """
import duckdb, sys
connection = duckdb.connect(config={{"threads": {threads}, "preserve_insertion_order": True}})
connection.execute("set enable_progress_bar = false")
connection.execute(sys.argv[1])
"""


def write():
    import duckdb

    os.makedirs(FOLDER, exist_ok=True)
    if all(os.path.exists(f"{FOLDER}/events.{end}") for end in FILES.values()):
        return
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute(EVENTS.format(rows=ROWS))
    to = f"copy events to '{FOLDER}/events"
    connection.execute(f"{to}.csv.gz' (format csv, header, compression gzip)")
    connection.execute(f"{to}.ndjson.gz' (format json, compression gzip)")
    connection.execute(f"{to}.parquet' (format parquet, compression snappy)")


def timed(command, environment=None):
    """Wall and CPU seconds, and peak memory in MB, of a program that does its work and ends."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})})
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    wall = time.perf_counter() - started
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def with_duckdb(path, kind):
    columns = ", ".join(f"cast({name} as {to}) as {name}" for name, to in TYPES.items())
    texts = "{" + ", ".join(f"'{name}': 'varchar'" for name in TYPES) + "}"
    source = {
        "csv": f"read_csv('{path}', header = true, columns = {texts})",
        "ndjson": f"read_json('{path}', format = 'newline_delimited', columns = {texts})",
        "parquet": f"'{path}'",
    }[kind]
    target = f"{FOLDER}/duckdb.parquet"
    query = f"copy (select {columns} from {source}) to '{target}' (format parquet, compression zstd)"
    return timed([sys.executable, "-c", DUCKDB.format(threads=THREADS), query])


def with_polars(path):
    program = POLARS.format(columns=list(TYPES))
    threads = {"POLARS_MAX_THREADS": str(THREADS)}
    return timed([sys.executable, "-c", program, path, f"{FOLDER}/polars.parquet"], threads)


def spent(pid):
    """CPU seconds of a process so far, and the most memory it held, in MB."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024


def with_cxmart(path, rows=ROWS, spec=None):
    """Reads what the process used when it says that all is staged, and then ends it.

    `spec` takes the place of the built-in spec of the events.
    """
    project, name = f"{FOLDER}/project", os.path.basename(path)
    shutil.rmtree(project, ignore_errors=True)
    os.makedirs(f"{project}/jobs")
    os.makedirs(f"{project}/raw")
    os.link(path, f"{project}/raw/{name}")
    if spec:
        os.makedirs(f"{project}/sql/stage/generic")
        with open(f"{project}/sql/stage/generic/events.toml", "w", encoding="utf-8") as file:
            file.write(spec)
    with open(f"{project}/jobs/bench.toml", "w", encoding="utf-8") as job:
        job.write(JOB.format(name=name))
    command = [PROGRAM, "run", "bench", "--project", project, "--threads", str(THREADS)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--log-format", "json"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    told = []
    for line in process.stderr:
        told.append(line)
        message = json.loads(line) if line.startswith(b"{") else {}
        if message.get("message") == "staged":
            wall = time.perf_counter() - started
            cpu, peak = spent(process.pid)
            process.kill()
            process.wait()
            if message["used"] != rows:
                sys.exit(f"cxmart staged {message['used']} of {rows} rows")
            return wall, cpu, peak
    sys.exit(b"".join(told).decode())


def main():
    if WRITE in os.environ:
        return write()
    # Its own process: what this one ever held would count as its children's.
    subprocess.run([sys.executable, *sys.argv], env={**os.environ, WRITE: "1"}, check=True)
    print(f"{ROWS} rows, {THREADS} threads", flush=True)
    for kind, end in FILES.items():
        path = f"{FOLDER}/events.{end}"
        found = {
            "duckdb": with_duckdb(path, kind),
            "polars": with_polars(path),
            "cxmart": with_cxmart(path),
        }
        print(f"{kind}, {os.path.getsize(path) >> 20} MB")
        for name, (wall, cpu, peak) in found.items():
            print(f"  {name}: {wall:.2f} s, {cpu:.2f} cpu-s, peak {peak:.0f} MB")
        ours, theirs = found["cxmart"], found["duckdb"]
        ratios = f"{ours[0] / theirs[0]:.2f} of its wall, {ours[1] / theirs[1]:.2f} of its CPU time"
        print(f"  cxmart to DuckDB: {ratios}", flush=True)


if __name__ == "__main__":
    main()
