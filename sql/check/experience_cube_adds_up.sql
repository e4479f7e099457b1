-- Each row is a total of the cube that is not the sum of its cells, or a small cell that is shown.
with

cells as (

    select
        metric,
        scale,
        definition_version,
        period_grain,
        period_start,
        sum(n) as n
    from experience_cube
    where journey_stage <> '(all)' and channel <> '(all)' and segment <> '(all)'
    group by metric, scale, definition_version, period_grain, period_start

),

totals as (

    select * from experience_cube
    where journey_stage = '(all)' and channel = '(all)' and segment = '(all)'

)

select
    totals.metric,
    totals.scale,
    totals.period_grain,
    totals.period_start,
    totals.n,
    cells.n as n_of_cells
from totals
left join cells
    on
        totals.metric = cells.metric
        and totals.scale = cells.scale
        and totals.definition_version = cells.definition_version
        and totals.period_grain = cells.period_grain
        and totals.period_start = cells.period_start
where cells.n is null or cells.n <> totals.n
union all
select
    cube.metric,
    cube.scale,
    cube.period_grain,
    cube.period_start,
    cube.n,
    cast(null as bigint) as n_of_cells
from experience_cube as cube
cross join run
where
    (cube.n < run.min_cell and not cube.is_suppressed)
    or cube.is_suppressed <> (cube.score is null)
    or cube.ci_low > cube.score
    or cube.ci_high < cube.score
