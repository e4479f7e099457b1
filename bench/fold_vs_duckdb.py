"""The fold pass against DuckDB: the same families of numbers from the same timeline.

python bench/fold_vs_duckdb.py [EVENTS] [FOLDER]

Writes a timeline of invented customers (20 events each over two years) in 64 sorted Parquet files,
asks DuckDB for each family with one query, then runs `cargo bench --bench fold` on the files. Both
use two threads. DuckDB is asked for less: no dimensions, no rolling buckets, no recurring revenue,
no way back between stages, medians of closed stays only.
"""

import os
import resource
import subprocess
import sys
import time

import duckdb

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000
FOLDER = sys.argv[2] if len(sys.argv) > 2 else "/tmp/cxmart-fold-bench"
BUCKETS = 64
THREADS = 2

SOURCE = """
create table raw as
with numbers as (
    select i, hash(i) as h, hash(i + 7777777777) as g, i // 20 as person from range({events}) as t(i)
)
select
    'c_' || md5(person::varchar) as customer_id,
    timestamptz '2024-01-01 00:00:00+00'
        + to_microseconds((hash(person) % 600)::bigint * 86400000000
        + ((h % (130 * 86400)) * 1000000)::bigint + (g % 1000000)::bigint) as occurred_at,
    'e_' || i as event_id,
    case
        when g % 100 < 40 then 'event' when g % 100 < 65 then 'order'
        when g % 100 < 75 then 'conversation_opened' when g % 100 < 85 then 'conversation_resolved'
        when g % 100 < 95 then 'survey_answered' else 'contact_created'
    end as kind,
    hash(person) % {buckets} as bucket, h, g
from numbers
"""

BUCKET = """
copy (
    select
        customer_id, occurred_at, event_id, kind,
        case kind
            when 'event' then
                ['page_view', 'product_view', 'add_to_cart', 'feature_used'][1 + (h % 4)::int]
            when 'order' then 'placed' when 'survey_answered' then 'nps'
            when 'contact_created' then 'lead'
        end as name,
        ['shop', 'crm', 'desk'][1 + (g % 3)::int] as source,
        ['web', 'app', 'email', 'ads'][1 + (h % 4)::int] as channel,
        'touchpoint ' || (h % 20) as touchpoint,
        case when kind = 'order' then ((g % 20000) / 100)::decimal(18, 4) end as amount,
        case when kind = 'order' then 'EUR' end as currency,
        case when kind = 'survey_answered' then (g % 11)::decimal(18, 4) end as score,
        case when kind = 'survey_answered' then 10::decimal(18, 4) end as scale_max,
        event_id as reference,
        (occurred_at at time zone 'UTC')::date as occurred_date,
        (occurred_at at time zone 'UTC')::date as dt,
        case when kind = 'order' then ((g % 20000) / 100)::decimal(18, 4) end as home_amount
    from raw where bucket = {bucket}
    order by customer_id, occurred_at, event_id
) to '{folder}/bucket-{bucket:02}.parquet' (format parquet, compression zstd)
"""

PURCHASES = """
select
    customer_id, min(occurred_date), max(occurred_date), count(distinct occurred_date),
    sum(amount), sum(amount) filter (where occurred_date > date '2025-12-31' - 365), count(*)
from timeline where kind = 'order' group by customer_id
"""

CHURN = """
with firsts as (
    select customer_id, min(occurred_at) as bought_at
    from timeline where kind = 'order' group by customer_id
),
activity as (
    select t.customer_id, t.occurred_date as day, lag(t.occurred_date) over w as before
    from timeline as t inner join firsts on t.customer_id = firsts.customer_id
    where t.occurred_at >= firsts.bought_at
        and t.kind in ('order', 'event', 'survey_answered', 'conversation_opened')
    window w as (partition by t.customer_id order by t.occurred_at, t.event_id)
),
starts as (
    select customer_id, day as start_day, before from activity
    where before is null or day > before + 90
),
ends as (
    select customer_id, max(day) + 90 as end_day from activity group by customer_id
    union all
    select customer_id, before + 90 from starts where before is not null
),
moves as (
    select date_trunc('month', start_day) as month,
        count(*) filter (where before is null) as new,
        count(*) filter (where before is not null) as back, 0 as churned
    from starts group by 1
    union all
    select date_trunc('month', end_day), 0, 0, count(*) from ends
    where end_day <= date '2025-12-31' group by 1
)
select month, sum(new), sum(back), sum(churned),
    sum(sum(new) + sum(back) - sum(churned)) over (order by month) as n_end
from moves group by month order by month
"""

COHORTS = """
with orders as (
    select customer_id, date_trunc('month', occurred_date) as month, amount,
        min(date_trunc('month', occurred_date)) over (partition by customer_id) as cohort
    from timeline where kind = 'order'
),
lasts as (
    select cohort, customer_id, max(month) as last_month from orders group by all
),
bounded as (
    select cohort, datediff('month', cohort, month) as k,
        count(distinct customer_id) as active, sum(amount) as revenue
    from orders group by all
),
unbounded as (
    select cohort, k, count(*) as active
    from lasts cross join range(24) as t(k)
    where datediff('month', cohort, last_month) >= k group by all
)
select * from bounded full join unbounded using (cohort, k) order by cohort, k
"""

STAGES = """
with numbered as (
    select customer_id, occurred_at, event_id, kind, name, score,
        sum((kind = 'order')::int) over w as orders
    from timeline
    window w as (partition by customer_id order by occurred_at, event_id rows unbounded preceding)
),
ruled as (
    select customer_id, occurred_at, event_id, case
        when kind = 'order' and orders >= 3 then 4
        when kind = 'survey_answered' and orders > 0 and score >= 9 then 4
        when kind = 'order' then 2
        when orders > 0 and kind in ('conversation_opened', 'conversation_resolved',
            'survey_answered') then 3
        when orders > 0 and name = 'feature_used' then 3
        when name in ('product_view', 'add_to_cart') then 1
        when kind in ('conversation_opened') then 1
        when kind = 'contact_created' or name = 'page_view' then 0
    end as stage
    from numbered
),
furthest as (
    select *, max(stage) over w as reached, lead(occurred_at) over (
        partition by customer_id order by occurred_at, event_id) as next_at
    from ruled where stage is not null
    window w as (partition by customer_id order by occurred_at, event_id rows unbounded preceding)
),
entries as (
    select customer_id, stage, occurred_at as entered_at from furthest
    qualify reached > coalesce(lag(reached) over (
        partition by customer_id order by occurred_at, event_id), -1)
    union all
    select customer_id, 5, occurred_at + interval 90 day from furthest
    where coalesce(next_at, timestamptz '2026-01-01 00:00:00+00') > occurred_at + interval 90 day
),
history as (
    select *, lead(entered_at) over (partition by customer_id order by entered_at, stage) as left_at
    from entries
)
select date_trunc('month', entered_at) as month, stage, count(*), count(left_at),
    quantile_cont(datediff('day', entered_at, left_at), [0.5, 0.9])
from history group by all
"""


def main():
    os.makedirs(FOLDER, exist_ok=True)
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": "6GB"})
    connection.execute("set timezone = 'UTC'")
    if len([f for f in os.listdir(FOLDER) if f.endswith(".parquet")]) < BUCKETS:
        connection.execute(SOURCE.format(events=EVENTS, buckets=BUCKETS))
        for bucket in range(BUCKETS):
            connection.execute(BUCKET.format(bucket=bucket, folder=FOLDER))
        connection.execute("drop table raw")
        print("timeline written", flush=True)
    connection.execute(f"create view timeline as from '{FOLDER}/*.parquet'")
    total, cpu = 0.0, resource.getrusage(resource.RUSAGE_SELF)
    queries = {"purchases": PURCHASES, "churn": CHURN, "cohorts": COHORTS, "stages": STAGES}
    for name, query in queries.items():
        started = time.perf_counter()
        rows = connection.execute(f"create or replace temp table answer as {query}").fetchall()
        seconds = time.perf_counter() - started
        total += seconds
        print(f"duckdb {name}: {seconds:.2f} s, {rows[0][0]} rows", flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(f"duckdb all: {total:.2f} s, {spent:.1f} cpu-s, peak {used.ru_maxrss // 1024} MB")
    connection.close()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    program = os.environ.get("FOLD_BENCH")
    command = [program] if program else ["cargo", "bench", "--bench", "fold", "--"]
    subprocess.run([*command, FOLDER, str(THREADS)], check=True)
    wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    # A build, if one was needed, is in the wall time: FOLD_BENCH names a program already built.
    print(f"folds: {wall:.2f} s, {spent:.1f} cpu-s; DuckDB takes {total / wall:.1f} times as long")


if __name__ == "__main__":
    main()
