"""The directly-follows graph and the variants of paths against pm4py, on the same log.

python bench/journey_vs_pm4py.py [EVENTS] [CASES] [FOLDER]; needs pandas, duckdb, pm4py.

Writes a log of invented cases (their lengths and activities drawn unevenly) as a timeline in 64
Parquet buckets, asks pm4py for the graph and for the variants of the same rows in memory, and runs
`cargo bench --bench journey -- paths FOLDER`, which gives both in one pass over rows decoded before.
JOURNEY_BENCH names a program already built; without pm4py only ours is run. Edges, passages and
variants must be the same.
"""

import os
import re
import subprocess
import sys
import time

import duckdb

events = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
cases = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
folder = sys.argv[3] if len(sys.argv) > 3 else "/tmp/cxmart-journey-bench"
BUCKETS = 64

SOURCE = """
create table log as
with numbers as (
    select
        i, hash(i) as h,
        -- A share of the events goes to a few long cases.
        case when i % 5 = 0 then i // 5 else hash(i + 77) % {cases} end % {cases} as person
    from range({events}) as t(i)
)
select
    'c_' || lpad(person::varchar, 8, '0') as customer_id,
    person % {buckets} as bucket,
    timestamptz '2025-01-01 00:00:00+00' + to_microseconds(i * 1000000) as occurred_at,
    'activity ' || (20 * pow((h % 1000003) / 1000003.0, 2))::int as touchpoint,
    i
from numbers
"""
BUCKET = """
copy (
    select
        customer_id, occurred_at, 'event' as kind, null::varchar as name, 'log' as source,
        null::varchar as channel, touchpoint, null::decimal(18, 4) as amount,
        null::varchar as currency, null::decimal(18, 4) as score,
        null::decimal(18, 4) as scale_max, null::varchar as reference,
        (occurred_at at time zone 'UTC')::date as occurred_date,
        null::decimal(18, 4) as home_amount
    from log where bucket = {bucket}
    order by customer_id, occurred_at
) to '{folder}/bucket-{bucket:02}.parquet' (format parquet, compression zstd)
"""

os.makedirs(folder, exist_ok=True)
database = duckdb.connect()
database.execute("set timezone = 'UTC'")
database.execute(SOURCE.format(events=events, cases=cases, buckets=BUCKETS))
for bucket in range(BUCKETS):
    database.execute(BUCKET.format(bucket=bucket, folder=folder))


def peer():
    import pm4py

    frame = database.execute(
        'select customer_id as "case:concept:name", touchpoint as "concept:name", '
        'occurred_at as "time:timestamp" from log order by customer_id, occurred_at'
    ).df()
    frame = pm4py.format_dataframe(frame)
    started = time.perf_counter()
    graph, _, _ = pm4py.discover_dfg(frame)
    graphed = time.perf_counter() - started
    started = time.perf_counter()
    variants = pm4py.get_variants(frame)
    told = time.perf_counter() - started
    print(f"pm4py: {len(graph)} edges, {sum(graph.values())} passages in {graphed:.2f} s")
    print(f"pm4py: {len(variants)} variants in {told:.2f} s")
    return len(graph), sum(graph.values()), len(variants), graphed + told


try:
    theirs = peer()
except ImportError:
    theirs = None
    print("pm4py is not here: only ours")
program = os.environ.get("JOURNEY_BENCH")
command = [program] if program else ["cargo", "bench", "--bench", "journey", "--"]
done = subprocess.run([*command, "paths", folder], check=True, stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
found = re.search(r"(\d+) edges, (\d+) passages, (\d+) variants, .*: ([0-9.]+) s", done.stdout)
edges, passages, variants, seconds = found.groups()
if theirs:
    same = theirs[:3] == (int(edges), int(passages), int(variants))
    print(f"{'the same numbers' if same else 'NOT the same numbers'}, {theirs[3] / float(seconds):.1f} times as fast")
    sys.exit(not same)
