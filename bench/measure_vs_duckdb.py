"""The measures of experience, service, churn and retention against DuckDB: the same tables, by hand.

python bench/measure_vs_duckdb.py [EVENTS] [FOLDER]

The timeline of fold_vs_duckdb.py, and besides it the answers and conversations in it with the
columns that scores and service levels read. Each side gets two threads and makes, by month (scores
and service levels by quarter and year too):

  churn_ledger and who is in it, retention_cohorts (bounded and unbounded, by calendar and rolling),
  survival curves by cohort and segment, churn_by_feedback, experience_scores, service_levels

Purchases and journey stages, which a run folds in the same walk, are left out on both sides.
DuckDB keeps what several tables rest on in tables of its own. It is asked for less: no p-values, no
Holm correction, no hidden cells, no log-rank test, normal instead of t quantiles. The timeline has
no contracts, so neither side has recurring revenue or renewals to count.
FOLD_BENCH and MEASURE_BENCH name programs already built, so that no build is in the time.
"""

import os
import resource
import subprocess
import sys
import time

import duckdb
import fold_vs_duckdb as fold

FOLDER = fold.FOLDER
TABLES = FOLDER + "-tables"
HORIZON = "timestamptz '2026-01-01 00:00:00+00'"

ANSWERS = f"""
copy (
    select
        case when h % 2 = 0 then 'nps' else 'csat' end as metric,
        (h % 2)::decimal(18, 4) as scale_min,
        (case when h % 2 = 0 then 10 else 5 end)::decimal(18, 4) as scale_max,
        false as is_effort, null::boolean as is_favourable,
        (case when h % 2 = 0 then g % 11 else 1 + g % 5 end)::decimal(18, 4) as score,
        channel, touchpoint, source,
        ['onboarding', 'use', 'service', 'loyalty', 'lapsed'][1 + (h % 5)::int] as journey_stage,
        ['new', 'core', 'vip'][1 + (g % 3)::int] as segment,
        ['DK', 'SE', 'NO', 'DE', 'GB', 'US'][1 + (h % 6)::int] as country,
        ['da', 'sv', 'no', 'de', 'en'][1 + (g % 5)::int] as language,
        'product ' || (h % 40) as product,
        ['relationship', 'after order', 'after chat'][1 + (g % 3)::int] as survey,
        date_trunc('month', occurred_date)::date as answered_month,
        occurred_date as answered_date
    from (select *, hash(event_id) as h, hash(event_id || 'g') as g from timeline
        where kind = 'survey_answered')
) to '{TABLES}/answers.parquet' (format parquet, compression zstd)
"""

CASES = f"""
copy (
    select
        event_id as conversation_id, customer_id, source, '' as source_account,
        event_id as source_id, 'ticket' as kind, channel,
        ['low', 'normal', 'high'][1 + (h % 3)::int] as priority,
        'team ' || (g % 12) as team, 'agent ' || (g % 200) as assignee, touchpoint,
        null::varchar as product, null::varchar as language,
        occurred_at as created_at, occurred_date as created_date,
        date_trunc('month', occurred_date)::date as created_month,
        occurred_at as started_at, false as is_outbound, 1 + (h % 6)::bigint as n_messages,
        case when h % 10 < 8 then occurred_at + to_seconds((60 + g % 90000)::bigint) end
            as first_human_at,
        case when g % 4 = 0 then occurred_at + to_seconds((1 + h % 20)::bigint) end as first_bot_at,
        case when h % 10 < 8 then occurred_at + to_seconds((60 + g % 90000)::bigint) end
            as first_agent_at,
        case when h % 10 < 8 then 1 + (h % 5)::bigint else 0 end as n_replies,
        case when g % 4 = 0 then 1 else 0 end::bigint as n_bot_messages,
        1 + (g % 3)::bigint as n_customer_messages, g % 4 = 0 as is_with_bot,
        null::timestamptz as resolved_at,
        null::bigint as vendor_first_response_seconds,
        null::bigint as vendor_first_bot_response_seconds,
        null::bigint as vendor_resolution_seconds, null::bigint as vendor_reopens,
        null::bigint as vendor_replies, null::boolean as vendor_sla_breached
    from (select *, hash(event_id) as h, hash(event_id || 'g') as g from timeline
        where kind = 'conversation_opened')
    order by conversation_id
) to '{TABLES}/cases.parquet' (format parquet, compression zstd)
"""

CHANGES = f"""
copy (
    with opened as (
        select conversation_id, created_at, hash(conversation_id || 'c') as h
        from '{TABLES}/cases.parquet'
    ),
    steps as (
        select conversation_id, 1 as step, 'resolved' as kind,
            created_at + to_seconds((3600 + h % 400000)::bigint) as changed_at, h
        from opened where h % 10 < 9
        union all
        select conversation_id, 2, 'reopened',
            created_at + to_seconds((3600 + h % 400000 + 1000 + h % 900000)::bigint), h
        from opened where h % 10 = 0
        union all
        select conversation_id, 3, 'resolved',
            created_at + to_seconds((3600 + h % 400000 + 1000 + h % 900000 + 7200)::bigint), h
        from opened where h % 20 = 0
    )
    select
        conversation_id as request_id, conversation_id || '-' || step as conversation_change_id,
        kind, null::varchar as metric, null::varchar as value_text,
        case when h % 7 = 0 then 'bot' else 'agent' end as author_kind,
        null::bigint as target_seconds, null::boolean as is_business_time, changed_at
    from steps where changed_at < {HORIZON}
    order by request_id, changed_at
) to '{TABLES}/changes.parquet' (format parquet, compression zstd)
"""

WILSON = """
    ({k} / {n} + 1.9207 / {n} - 1.96 * sqrt({k} / {n} * (1 - {k} / {n}) / {n} + 0.9604 / {n} / {n}))
        / (1 + 3.8415 / {n}) as {name}_low,
    ({k} / {n} + 1.9207 / {n} + 1.96 * sqrt({k} / {n} * (1 - {k} / {n}) / {n} + 0.9604 / {n} / {n}))
        / (1 + 3.8415 / {n}) as {name}_high
"""

# Who somebody is, the times they were active, and what they ordered: the base of four tables.
BASE = [
    """
    create or replace temp table who as
    select customer_id,
        coalesce(arg_min(channel, occurred_at) filter (where kind = 'contact_created'), '(none)')
            as acquisition_channel,
        coalesce(arg_min(source, occurred_at) filter (where kind = 'order'), '(none)') as source,
        min(occurred_at) filter (where kind = 'order') as bought_at
    from timeline group by customer_id
    """,
    """
    create or replace temp table spans as
    with activity as (
        select t.customer_id, t.occurred_date as day, lag(t.occurred_date) over w as before
        from timeline as t inner join who using (customer_id)
        where t.occurred_at >= who.bought_at
            and t.kind in ('order', 'event', 'survey_answered', 'conversation_opened')
        window w as (partition by t.customer_id order by t.occurred_at, t.event_id)
    ),
    numbered as (
        select customer_id, day, count(*) filter (where before is null or day > before + 90) over (
            partition by customer_id order by day rows unbounded preceding) as span
        from activity
    )
    select customer_id, span, min(day) as start_day,
        case when max(day) + 90 <= date '2025-12-31' then max(day) + 90 end as end_day
    from numbered group by customer_id, span
    """,
]

LEDGER = [
    f"""
    create or replace temp table ledger as
    with moves as (
        select customer_id, date_trunc('month', start_day) as month, (span = 1)::int as new,
            (span > 1)::int as back, 0 as churned, 0 as of_start
        from spans
        union all
        select customer_id, date_trunc('month', end_day), 0, 0, 1,
            (date_trunc('month', start_day) < date_trunc('month', end_day))::int
        from spans where end_day is not null
    ),
    summed as (
        select month, acquisition_channel, source, grouping_id(acquisition_channel, source) as g,
            sum(new) as n_new, sum(back) as n_back, sum(churned) as n_churned,
            sum(of_start) as n_of_start
        from moves inner join who using (customer_id)
        group by grouping sets ((month), (month, acquisition_channel), (month, source))
    ),
    carried as (
        select *, coalesce(sum(n_new + n_back - n_churned) over (
            partition by g, acquisition_channel, source order by month
            rows between unbounded preceding and 1 preceding), 0) as n_start
        from summed
    )
    select *, n_start + n_new + n_back - n_churned as n_end, n_of_start / n_start as gross,
        {WILSON.format(k="n_of_start", n="nullif(n_start, 0)", name="gross")},
        (n_churned - n_new - n_back) / nullif(n_start, 0) as net
    from carried
    """,
    """
    create or replace temp table ledger_customers as
    with months as (
        select unnest(generate_series(date '2024-01-01', date '2025-12-01', interval 1 month))::date
            as month
    )
    select customer_id, month, who.acquisition_channel, who.source,
        bool_or(start_day < month and coalesce(end_day, date '9999-01-01') > month - 1) as is_start,
        bool_or(span = 1 and start_day >= month) as is_new,
        count(*) filter (where span > 1 and start_day >= month) as n_back,
        count(*) filter (where end_day < month + interval 1 month) as n_churned,
        bool_or(coalesce(end_day, date '9999-01-01') >= month + interval 1 month) as is_end,
        max(end_day) filter (where end_day < month + interval 1 month) as churned_on
    from spans inner join months
        on start_day < month + interval 1 month
        and coalesce(end_day, date '9999-01-01') >= month
    inner join who using (customer_id)
    group by all
    """,
]

COHORTS = [
    """
    create or replace temp table orders as
    select customer_id, date_trunc('month', occurred_date) as month, amount,
        date_trunc('month', min(occurred_date) over w) as cohort,
        datediff('month', date_trunc('month', min(occurred_date) over w), occurred_date) as k,
        datediff('microsecond', min(occurred_at) over w, occurred_at) // (30 * 86400000000) as r
    from timeline where kind = 'order' window w as (partition by customer_id)
    """,
    f"""
    create or replace temp table cohorts as
    with sizes as (select cohort, count(distinct customer_id) as size from orders group by all),
    lasts as (select cohort, customer_id, max(k) as k, max(r) as r from orders group by all),
    buckets as (select range as bucket from range(24)),
    cells as (
        select 'bounded_calendar' as kind, cohort, k as bucket,
            count(distinct customer_id) as active, sum(amount) as revenue
        from orders group by all
        union all
        select 'bounded_rolling', cohort, r, count(distinct customer_id), sum(amount)
        from orders group by all
        union all
        select 'unbounded_calendar', cohort, bucket, count(*), null
        from lasts inner join buckets on k >= bucket group by all
        union all
        select 'unbounded_rolling', cohort, bucket, count(*), null
        from lasts inner join buckets on r >= bucket group by all
    )
    select *, active / size as retention, {WILSON.format(k="active", n="size", name="ci")}
    from cells inner join sizes using (cohort)
    """,
]

SURVIVAL = [
    """
    create or replace temp table curves as
    with lives as (
        select coalesce(end_day, date '2025-12-31') - start_day as t,
            (end_day is not null)::int as event, date_trunc('month', start_day) as cohort,
            acquisition_channel, source
        from spans inner join who using (customer_id) where span = 1
    ),
    counts as (
        select t, cohort, acquisition_channel, source,
            grouping_id(cohort, acquisition_channel, source) as g,
            sum(event) as d, count(*) as n
        from lives
        group by grouping sets ((t), (t, cohort), (t, acquisition_channel), (t, source))
    ),
    risks as (
        select *, sum(n) over (partition by g, cohort, acquisition_channel, source
            order by t desc) as at_risk
        from counts
    )
    select *,
        exp(sum(ln(greatest(1 - d / at_risk, 1e-300))) over w) as survival,
        sum(d / nullif(at_risk * (at_risk - d), 0)) over w as greenwood
    from risks
    window w as (partition by g, cohort, acquisition_channel, source order by t)
    """,
    """
    create or replace temp table summaries as
    select g, cohort, acquisition_channel, source, max(at_risk) as n, sum(d) as events,
        min(t) filter (where survival <= 0.5) as median,
        min(t) filter (where survival ** exp(-1.96 * sqrt(greenwood) / ln(survival)) <= 0.5)
            as median_low
    from curves where survival between 1e-9 and 1 - 1e-12 group by all
    """,
]

FEEDBACK = [
    f"""
    create or replace temp table feedback as
    with windows as (select unnest([30, 90, 180]) as days),
    known as (
        select customer_id, days, arg_max(score, (occurred_at, event_id)) as score
        from timeline, windows
        where kind = 'survey_answered' and occurred_date <= date '2025-12-31' - days
        group by all
    ),
    there as (
        select customer_id, days, end_day from spans, windows
        where start_day <= date '2025-12-31' - days
            and coalesce(end_day, date '9999-01-01') > date '2025-12-31' - days
    ),
    counted as (
        select days, case when score >= 9 then 'promoter' when score > 6 then 'passive'
                when score is not null then 'detractor' else 'no_answer' end as bucket,
            count(*) as n, count(end_day) as churned,
            sum(coalesce(end_day, date '2025-12-31') - (date '2025-12-31' - days)) / 365.25 as years
        from there left join known using (customer_id, days) group by all
    )
    select *, churned / n as rate, {WILSON.format(k="churned", n="n", name="ci")},
        churned / years as hazard,
        churned / n / first_value(churned / n) over (
            partition by days order by (bucket = 'promoter') desc) as relative_risk
    from counted
    """,
]

NAMES = ["channel", "touchpoint", "journey_stage", "segment", "country", "language", "product",
    "source", "survey"]
GRAINS = ["month", "quarter", "year"]


def sets(names, more=()):
    """Grouping sets of all periods with each dimension, and all grouped columns."""
    each = [[grain, *([name] if name else []), *more] for grain in GRAINS for name in [None, *names]]
    return ", ".join("(" + ", ".join(one) + ")" for one in each), ", ".join([*GRAINS, *names])


SCORE_SETS, SCORE_KEYS = sets(NAMES, ["metric"])
SCORES = [
    f"""
    create or replace temp table scores as
    with answers as (
        select *, date_trunc('month', answered_date) as month,
            date_trunc('quarter', answered_date) as quarter,
            date_trunc('year', answered_date) as year
        from '{TABLES}/answers.parquet'
    ),
    counted as (
        select metric, {SCORE_KEYS}, grouping_id({SCORE_KEYS}) as g, count(*) as n,
            count(*) filter (where score >= 9) as p, count(*) filter (where score <= 6) as d,
            count(*) filter (where score <= 5) as d5, count(*) filter (where score >= 4) as k,
            avg(score) as mean, stddev_samp(score) as deviation
        from answers group by grouping sets ({SCORE_SETS})
    ),
    read as (
        select *, 100 * (p - d) / n as nps, 100 * (p - d5) / n as strict,
            (p + 0.75 - d - 0.75) / (n + 3) as e, (p + d + 1.5) / (n + 3) as s,
            {WILSON.format(k="k", n="n", name="csat")}, 1.96 * deviation / sqrt(n) as half
        from counted
    )
    select *, e - 1.96 * sqrt((s - e * e) / (n + 3)) as nps_low,
        e + 1.96 * sqrt((s - e * e) / (n + 3)) as nps_high,
        nps - lag(nps) over past as nps_change, mean - lag(mean) over past as mean_change,
        (sum(p - d) over rest - (p - d)) / nullif(sum(n) over rest - n, 0) as rest_nps
    from read
    window past as (partition by metric, g, {", ".join(NAMES)} order by month, quarter, year),
        rest as (partition by metric, g, month, quarter, year)
    """,
]

DESK = ["channel", "priority", "team", "source", "touchpoint"]
TIME_SETS, DESK_KEYS = sets(DESK, ["metric"])
CURVE_SETS, _ = sets(DESK, ["metric", "seconds"])
SERVICE = [
    f"""
    create or replace temp table facts as
    with courses as (
        select request_id, min(changed_at) filter (where kind = 'resolved') as first_resolved,
            max(changed_at) filter (where kind = 'resolved') as last_resolved,
            min(changed_at) filter (where kind = 'reopened') as first_reopened,
            max(changed_at) filter (where kind = 'reopened') as last_reopened,
            count(*) filter (where kind = 'reopened') as n_reopens
        from '{TABLES}/changes.parquet' group by request_id
    )
    select cases.*, first_resolved, first_reopened, last_reopened, last_resolved,
        coalesce(n_reopens, 0) as n_reopens,
        case when last_reopened is null or last_resolved > last_reopened then last_resolved end
            as resolved,
        date_trunc('month', created_date) as month, date_trunc('quarter', created_date) as quarter,
        date_trunc('year', created_date) as year
    from '{TABLES}/cases.parquet' as cases left join courses on conversation_id = request_id
    """,
    f"""
    create or replace temp table times as
    with ends as (
        select 'first_response' as metric, first_human_at as ended_at, coalesce(resolved, {HORIZON})
            as known, * from facts
        union all by name
        select 'first_bot_response' as metric, first_bot_at as ended_at, coalesce(resolved, {HORIZON})
            as known, * from facts where n_bot_messages > 0
        union all by name
        select 'first_resolution' as metric, first_resolved as ended_at, {HORIZON} as known, * from facts
        union all by name
        select 'full_resolution' as metric, resolved as ended_at, {HORIZON} as known, * from facts
    )
    select metric, greatest(datediff('second', created_at, coalesce(ended_at, known)), 0) as seconds,
        ended_at is not null as is_over, {DESK_KEYS}
    from ends
    """,
    f"""
    create or replace temp table time_levels as
    select metric, {DESK_KEYS}, grouping_id({DESK_KEYS}) as g, count(*) as n,
        count(*) filter (where is_over) as answered, avg(seconds) filter (where is_over) as mean,
        1.96 * stddev_samp(seconds) filter (where is_over) / sqrt(count(*) filter (where is_over))
            as half,
        quantile_cont(seconds, [0.5, 0.9]) filter (where is_over) as quantiles
    from times group by grouping sets ({TIME_SETS})
    """,
    f"""
    create or replace temp table time_medians as
    with counts as (
        select metric, {DESK_KEYS}, grouping_id({DESK_KEYS}) as g, seconds,
            count(*) filter (where is_over) as d, count(*) as n
        from times group by grouping sets ({CURVE_SETS})
    ),
    risks as (
        select *, sum(n) over (partition by metric, g, {DESK_KEYS} order by seconds desc) as at_risk
        from counts
    ),
    curves as (
        select *, exp(sum(ln(greatest(1 - d / at_risk, 1e-300))) over (
            partition by metric, g, {DESK_KEYS} order by seconds)) as survival
        from risks where d > 0
    )
    select metric, g, {DESK_KEYS}, min(seconds) filter (where survival <= 0.5) as km_median
    from curves group by all
    """,
    f"""
    create or replace temp table share_levels as
    with flags as (
        select 'first_contact_resolution' as metric, case
                when first_reopened < first_resolved + interval 7 day or n_replies > 1 then 0
                when first_resolved + interval 7 day <= {HORIZON} then 1 end as hit,
            * from facts where first_resolved is not null
        union all by name
        select 'one_touch' as metric, (resolved is not null and n_replies = 1 and n_reopens = 0)::int
            as hit, * from facts where first_resolved is not null
        union all by name
        select 'reopen_rate' as metric, (n_reopens > 0)::int as hit, * from facts
        where first_resolved is not null
        union all by name
        select 'containment' as metric, (resolved is not null and n_replies = 0)::int as hit,
            * from facts where first_resolved is not null and n_bot_messages > 0
        union all by name
        select 'replies' as metric, n_replies as hit, * from facts
        union all by name
        select 'reopens' as metric, n_reopens as hit, * from facts
    ),
    counted as (
        select metric, {DESK_KEYS}, grouping_id({DESK_KEYS}) as g, count(*) as n,
            count(hit) as known, sum(hit) as hits, stddev_samp(hit) as deviation,
            quantile_cont(hit, [0.5, 0.9]) as quantiles
        from flags group by grouping sets ({TIME_SETS})
    )
    select *, hits / nullif(known, 0) as mean,
        {WILSON.format(k="least(hits, known)", n="nullif(known, 0)", name="ci")}
    from counted
    """,
    f"""
    create or replace temp table backlog as
    with waits as (
        select created_at as since, first_resolved as until, {", ".join(DESK)} from facts
        union all
        select last_reopened, case when last_resolved > last_reopened then last_resolved end,
            {", ".join(DESK)} from facts where last_reopened is not null
    ),
    ends as (
        select unnest(generate_series(date '2024-02-01', date '2026-01-01', interval 1 month))
            ::timestamptz as moment
    )
    select moment, {", ".join(DESK)}, grouping_id({", ".join(DESK)}) as g, count(*) as n,
        avg(datediff('second', since, moment)) as age
    from ends inner join waits on since < moment and (until is null or until >= moment)
    group by grouping sets ((moment), {", ".join(f"(moment, {name})" for name in DESK)})
    """,
]

TASKS = {"base": BASE, "churn_ledger": LEDGER, "retention_cohorts": COHORTS, "survival": SURVIVAL,
    "churn_by_feedback": FEEDBACK, "experience_scores": SCORES, "service_levels": SERVICE}


def used(who):
    spent = resource.getrusage(who)
    return spent.ru_utime + spent.ru_stime, spent.ru_maxrss // 1024


def write():
    """The raw material, once; by a process of its own, so that its memory is not DuckDB's peak."""
    os.makedirs(FOLDER, exist_ok=True)
    os.makedirs(TABLES, exist_ok=True)
    connection = duckdb.connect(config={"threads": fold.THREADS, "memory_limit": "6GB"})
    connection.execute("set timezone = 'UTC'")
    if len([f for f in os.listdir(FOLDER) if f.endswith(".parquet")]) < fold.BUCKETS:
        connection.execute(fold.SOURCE.format(events=fold.EVENTS, buckets=fold.BUCKETS))
        for bucket in range(fold.BUCKETS):
            connection.execute(fold.BUCKET.format(bucket=bucket, folder=FOLDER))
        connection.execute("drop table raw")
    connection.execute(f"create view timeline as from '{FOLDER}/*.parquet'")
    for name, text in [("answers", ANSWERS), ("cases", CASES), ("changes", CHANGES)]:
        if not os.path.exists(f"{TABLES}/{name}.parquet"):
            connection.execute(text)


def main():
    if "--write" in sys.argv:
        write()
        return
    subprocess.run([sys.executable, __file__, str(fold.EVENTS), FOLDER, "--write"], check=True)
    before, _ = used(resource.RUSAGE_CHILDREN)
    walls = {"folds": 0.0, "measures": 0.0}
    programs = {"folds": ("fold", "FOLD_BENCH"), "measures": ("measure", "MEASURE_BENCH")}
    for name, (bench, variable) in programs.items():
        program = os.environ.get(variable)
        command = [program] if program else ["cargo", "bench", "--bench", bench, "--"]
        folder = FOLDER if name == "folds" else TABLES
        started = time.perf_counter()
        only = ["retention"] if name == "folds" else []
        subprocess.run([*command, folder, str(fold.THREADS), *only], check=True)
        walls[name] = time.perf_counter() - started
    ours, our_cpu = sum(walls.values()), used(resource.RUSAGE_CHILDREN)[0] - before
    print(f"cxmart: {ours:.2f} s, {our_cpu:.1f} cpu-s {walls}", flush=True)

    connection = duckdb.connect(config={"threads": fold.THREADS, "memory_limit": "8GB"})
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"create view timeline as from '{FOLDER}/*.parquet'")
    total, (cpu, _) = 0.0, used(resource.RUSAGE_SELF)
    for name, statements in TASKS.items():
        started = time.perf_counter()
        for statement in statements:
            connection.execute(statement)
        seconds = time.perf_counter() - started
        total += seconds
        print(f"duckdb {name}: {seconds:.2f} s", flush=True)
    spent, peak = used(resource.RUSAGE_SELF)
    print(f"duckdb: {total:.2f} s, {spent - cpu:.1f} cpu-s, peak {peak} MB")
    print(f"DuckDB takes {total / ours:.1f} times the wall and {(spent - cpu) / our_cpu:.1f} times the cpu")


if __name__ == "__main__":
    main()
