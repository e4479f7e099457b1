-- Each row is a service level that cannot be: a share off its range, a number outside its own interval, or a small cell that is shown.
select
    levels.metric,
    levels.clock,
    levels.period_grain,
    levels.period_start,
    levels.dimension,
    levels.dimension_value,
    levels.n,
    levels.mean,
    levels.ci_low,
    levels.ci_high
from service_levels as levels
cross join run
where
    (levels.n < run.min_cell and not levels.is_suppressed)
    or (levels.is_suppressed and (levels.mean is not null or levels.answered is not null))
    or (not levels.is_suppressed and levels.answered > 0 and levels.mean is null)
    or levels.mean < cast(0 as double)
    or (levels.hits is not null and levels.mean > cast(1 as double))
    or levels.hits > levels.answered
    or levels.ci_low > levels.mean
    or levels.ci_high < levels.mean
    or levels.median > levels.p90
    or levels.n_within_target > levels.n_with_target
    or levels.n_vendor > levels.n
