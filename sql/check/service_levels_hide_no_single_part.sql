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
    inner join nested_periods as nested
        on
            longer.period_grain = nested.longer_grain
            and longer.period_start = nested.longer_start
    inner join hidden
        on
            nested.part_grain = hidden.period_grain
            and nested.part_start = hidden.period_start
            and longer.metric = hidden.metric
            and longer.clock = hidden.clock
            and longer.dimension = hidden.dimension
            and longer.dimension_value = hidden.dimension_value
    where not longer.is_suppressed
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
