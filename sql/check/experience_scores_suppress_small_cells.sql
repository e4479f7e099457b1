-- Each row is a score of too few answers that shows more than how many they were, or one that alone is hidden.
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
