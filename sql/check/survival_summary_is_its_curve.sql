-- Each row is a summary of survival whose curve counts other customers or churns, or whose median lies outside its interval.
with

counted as (

    select
        cohort_grain,
        cohort,
        segment,
        max(at_risk) as n,
        sum(events) as events
    from survival_curves
    group by cohort_grain, cohort, segment

)

select
    survival_summary.cohort_grain,
    survival_summary.cohort,
    survival_summary.segment
from survival_summary
left join counted
    on
        survival_summary.cohort_grain = counted.cohort_grain
        and survival_summary.cohort = counted.cohort
        and survival_summary.segment = counted.segment
where
    not survival_summary.is_suppressed
    and (
        counted.n is null
        or counted.n <> survival_summary.n
        or counted.events <> survival_summary.events
        or survival_summary.median_low > survival_summary.median_days
        or survival_summary.median_high < survival_summary.median_days
        or survival_summary.rmst_days > cast(survival_summary.rmst_until as double)
    )
