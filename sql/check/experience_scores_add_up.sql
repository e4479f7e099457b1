-- Each row is a dimension whose values do not hold all answers of a period, or hold some twice.
with

parts as (

    select
        metric,
        scale,
        definition_version,
        period_grain,
        period_start,
        dimension,
        sum(n) as n
    from experience_scores
    where dimension <> 'all'
    group by
        metric,
        scale,
        definition_version,
        period_grain,
        period_start,
        dimension

),

wholes as (

    select
        metric,
        scale,
        definition_version,
        period_grain,
        period_start,
        n
    from experience_scores
    where dimension = 'all'

)

select
    parts.metric,
    parts.scale,
    parts.period_grain,
    parts.period_start,
    parts.dimension,
    parts.n as n_of_parts,
    wholes.n as n_of_whole
from parts
inner join wholes
    on
        parts.metric = wholes.metric
        and parts.scale = wholes.scale
        and parts.definition_version = wholes.definition_version
        and parts.period_grain = wholes.period_grain
        and parts.period_start = wholes.period_start
where parts.n <> wholes.n
