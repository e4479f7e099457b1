-- Cells with more active customers than the cohort has, or more in a bucket than in it or any later one.
with

cells as (

    select * from retention_cohorts where not is_suppressed

),

bounded as (

    select * from cells where kind in ('bounded_calendar', 'bounded_rolling')

),

unbounded as (

    select * from cells where kind in ('unbounded_calendar', 'unbounded_rolling')

),

too_many as (

    select
        cohort_grain,
        cohort,
        kind,
        period_index
    from cells
    where active > cohort_size or active < 0

),

fewer_later as (

    select
        bounded.cohort_grain,
        bounded.cohort,
        unbounded.kind,
        bounded.period_index
    from bounded
    inner join unbounded
        on
            bounded.cohort_grain = unbounded.cohort_grain
            and bounded.cohort = unbounded.cohort
            and bounded.period_index = unbounded.period_index
            and 'un' || bounded.kind = unbounded.kind
    where bounded.active > unbounded.active

)

select * from too_many
union all
select * from fewer_later
