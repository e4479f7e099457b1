-- Each row is a service level whose parts are not its whole: open and answered, or the values of a dimension.
with

parts as (

    select
        metric,
        clock,
        period_grain,
        period_start,
        dimension,
        sum(n) as n
    from service_levels
    where dimension <> 'all'
    group by metric, clock, period_grain, period_start, dimension

),

wholes as (

    select
        metric,
        clock,
        period_grain,
        period_start,
        n
    from service_levels
    where dimension = 'all'

)

select
    parts.metric,
    parts.clock,
    parts.period_grain,
    parts.period_start,
    parts.dimension,
    parts.n as n_of_parts,
    wholes.n as n_of_whole
from parts
inner join wholes
    on
        parts.metric = wholes.metric
        and parts.clock = wholes.clock
        and parts.period_grain = wholes.period_grain
        and parts.period_start = wholes.period_start
where parts.n <> wholes.n
union all
select
    metric,
    clock,
    period_grain,
    period_start,
    dimension,
    answered + open as n_of_parts,
    n as n_of_whole
from service_levels
where is_suppressed = false and metric <> 'backlog' and answered + open <> n
