-- Each row is a score that cannot be: off its range, or outside its own interval.
with

limits as (

    select
        metric,
        scale,
        period_grain,
        period_start,
        dimension,
        dimension_value,
        n,
        favourable,
        score,
        ci_low,
        ci_high,
        case
            when metric in ('nps', 'nps_strict5', 'enps')
                then cast(-100 as double)
            else cast(0 as double)
        end as least,
        case
            when metric = 'ces_norm' then cast(1 as double)
            else cast(100 as double)
        end as greatest,
        metric in ('ltr_mean', 'csat_mean', 'ces_mean', 'star') as is_mean
    from experience_scores
    where is_suppressed = false

)

select
    metric,
    scale,
    period_grain,
    period_start,
    dimension,
    dimension_value,
    score,
    ci_low,
    ci_high
from limits
where
    score is null
    or (is_mean = false and (score < least or score > greatest))
    or ci_low > score
    or ci_high < score
    or favourable > n
