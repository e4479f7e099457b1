-- Each row is a projected share that cannot be, or that is above the one of a renewal before.
with

shares as (

    select
        cohort_grain,
        cohort,
        segment,
        period_index,
        observed_survival,
        survival,
        retention,
        derl,
        lag(survival) over (
            partition by cohort_grain, cohort, segment
            order by period_index asc nulls first
        ) as survival_before
    from retention_projection

)

select
    cohort_grain,
    cohort,
    segment,
    period_index
from shares
where
    survival < cast(0 as double)
    or survival > coalesce(survival_before, cast(1 as double))
    or retention < cast(0 as double)
    or retention > cast(1 as double)
    or observed_survival < cast(0 as double)
    or observed_survival > cast(1 as double)
    or derl < cast(0 as double)
