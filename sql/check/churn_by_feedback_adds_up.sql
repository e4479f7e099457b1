-- Each row is a window whose classes do not hold the same customers for every metric, or a class with numbers that cannot be.
with

totals as (

    select
        window_days,
        metric,
        sum(n) as n
    from churn_by_feedback
    group by window_days, metric

),

windows as (

    select
        window_days,
        min(n) as n_least,
        max(n) as n_most
    from totals
    group by window_days

),

uneven as (

    select
        window_days,
        'all' as metric,
        'all' as bucket
    from windows
    where n_least <> n_most

),

impossible as (

    select
        window_days,
        metric,
        bucket
    from churn_by_feedback
    where
        churned > n
        or churned < 0
        or ci_low > rate
        or ci_high < rate
        or hazard_low > hazard
        or hazard_high < hazard
        or relative_risk_low > relative_risk
        or relative_risk_high < relative_risk

)

select * from uneven
union all
select * from impossible
