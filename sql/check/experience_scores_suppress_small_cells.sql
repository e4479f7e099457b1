-- Each row is a score of too few answers that shows more than how many they were, or one that alone is hidden and so the difference of what is shown.
with

cells as (

    select
        scores.metric,
        scores.scale,
        scores.definition_version,
        scores.period_grain,
        scores.period_start,
        scores.dimension,
        scores.dimension_value,
        scores.n,
        scores.is_suppressed,
        scores.n < run.min_cell as is_small,
        scores.score is not null
        or scores.promoters is not null
        or scores.passives is not null
        or scores.detractors is not null
        or scores.favourable is not null
        or scores.ci_low is not null
        or scores.previous_score is not null
        or scores.rest_score is not null
        or scores.weighted_score is not null as is_told
    from experience_scores as scores
    cross join run

),

groups as (

    select
        metric,
        scale,
        definition_version,
        period_grain,
        period_start,
        dimension,
        count(*) as n_cells,
        count(*) filter (where is_suppressed) as n_suppressed
    from cells
    group by metric, scale, definition_version, period_grain, period_start, dimension

),

hidden as (

    select * from cells
    where is_suppressed

),

parts as (

    select
        longer.metric,
        longer.scale,
        longer.definition_version,
        longer.period_grain,
        longer.period_start,
        longer.dimension,
        longer.dimension_value,
        hidden.period_grain as part_grain,
        count(*) as n_suppressed
    from cells as longer
    inner join nested_periods as nested
        on
            longer.period_grain = nested.longer_grain
            and longer.period_start = nested.longer_start
    inner join hidden
        on
            nested.part_grain = hidden.period_grain
            and nested.part_start = hidden.period_start
            and longer.metric = hidden.metric
            and longer.scale = hidden.scale
            and longer.definition_version = hidden.definition_version
            and longer.dimension = hidden.dimension
            and longer.dimension_value = hidden.dimension_value
    where not longer.is_suppressed
    group by
        longer.metric,
        longer.scale,
        longer.definition_version,
        longer.period_grain,
        longer.period_start,
        longer.dimension,
        longer.dimension_value,
        hidden.period_grain

)

select
    metric,
    scale,
    period_grain,
    period_start,
    dimension,
    dimension_value,
    n
from cells
where (is_small and not is_suppressed) or (is_suppressed and is_told)
union all
select
    metric,
    scale,
    period_grain,
    period_start,
    dimension,
    cast(null as string) as dimension_value,
    cast(null as bigint) as n
from groups
where n_suppressed = 1 and n_cells > 1
union all
select
    metric,
    scale,
    period_grain,
    period_start,
    dimension,
    dimension_value,
    cast(null as bigint) as n
from parts
where n_suppressed = 1
