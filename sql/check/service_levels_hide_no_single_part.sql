-- Each row is a service level of which one part alone is hidden: it would be the difference of what is shown.
with

levels as (

    select
        metric,
        clock,
        period_grain,
        period_start,
        dimension,
        dimension_value,
        is_suppressed
    from service_levels

),

groups as (

    select
        metric,
        clock,
        period_grain,
        period_start,
        dimension,
        count(*) as n_cells,
        count(*) filter (where is_suppressed) as n_suppressed
    from levels
    group by metric, clock, period_grain, period_start, dimension

),

hidden as (

    select * from levels
    where is_suppressed and metric <> 'backlog'

),

parts as (

    select
        longer.metric,
        longer.clock,
        longer.period_grain,
        longer.period_start,
        longer.dimension,
        longer.dimension_value,
        hidden.period_grain as part_grain,
        count(*) as n_suppressed
    from levels as longer
    inner join hidden
        on
            longer.metric = hidden.metric
            and longer.clock = hidden.clock
            and longer.dimension = hidden.dimension
            and longer.dimension_value = hidden.dimension_value
    where
        not longer.is_suppressed
        and hidden.period_start >= longer.period_start
        and (
            (
                longer.period_grain = 'week'
                and hidden.period_grain = 'day'
                and hidden.period_start < longer.period_start + interval '7' day
            )
            or (
                longer.period_grain = 'month'
                and hidden.period_grain = 'day'
                and hidden.period_start < longer.period_start + interval '1' month
            )
            or (
                longer.period_grain = 'quarter'
                and hidden.period_grain in ('day', 'month')
                and hidden.period_start < longer.period_start + interval '3' month
            )
            or (
                longer.period_grain = 'year'
                and hidden.period_grain in ('day', 'month', 'quarter')
                and hidden.period_start < longer.period_start + interval '12' month
            )
        )
    group by
        longer.metric,
        longer.clock,
        longer.period_grain,
        longer.period_start,
        longer.dimension,
        longer.dimension_value,
        hidden.period_grain

)

select
    metric,
    clock,
    period_grain,
    period_start,
    dimension,
    cast(null as string) as dimension_value
from groups
where n_suppressed = 1 and n_cells > 1
union all
select
    metric,
    clock,
    period_grain,
    period_start,
    dimension,
    dimension_value
from parts
where n_suppressed = 1
