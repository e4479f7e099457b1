-- Each row is a step of a survival curve that rises, leaves 0 to 1 or its own interval, or loses count of who is at risk.
with

steps as (

    select
        cohort_grain,
        cohort,
        segment,
        t,
        at_risk,
        events,
        censored,
        survival,
        ci_low,
        ci_high,
        lag(survival) over (
            partition by cohort_grain, cohort, segment
            order by t asc nulls first
        ) as survival_before,
        lag(at_risk - events - censored) over (
            partition by cohort_grain, cohort, segment
            order by t asc nulls first
        ) as left_before
    from survival_curves

)

select
    cohort_grain,
    cohort,
    segment,
    t
from steps
where
    survival < cast(0 as double)
    or survival > coalesce(survival_before, cast(1 as double))
    or ci_low > survival
    or ci_high < survival
    or at_risk <> left_before
    or events + censored > at_risk
    or t < 0
