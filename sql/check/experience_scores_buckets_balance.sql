-- Each row is a promoter score whose promoters, passives and detractors are not all its answers.
select
    metric,
    period_grain,
    period_start,
    dimension,
    dimension_value,
    n,
    promoters,
    passives,
    detractors
from experience_scores
where
    is_suppressed = false
    and metric in ('nps', 'nps_strict5', 'enps')
    and (
        promoters is null
        or passives is null
        or detractors is null
        or promoters + passives + detractors <> n
    )
