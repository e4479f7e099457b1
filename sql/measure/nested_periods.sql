-- One row per period of which there are numbers and longer one that it lies in as a whole.
-- grain: longer_grain, longer_start, part_grain, part_start
with

numbers as (

    select
        period_grain,
        period_start
    from experience_scores
    union all
    select
        period_grain,
        period_start
    from service_levels

),

periods as (

    select
        period_grain,
        period_start
    from numbers
    group by
        period_grain,
        period_start

)

select
    longer.period_grain as longer_grain,
    longer.period_start as longer_start,
    parts.period_grain as part_grain,
    parts.period_start as part_start
from periods as longer
inner join periods as parts
    on
        parts.period_start >= longer.period_start
        and (
            (
                longer.period_grain = 'week'
                and parts.period_grain = 'day'
                and parts.period_start < longer.period_start + interval '7' day
            )
            or (
                longer.period_grain = 'month'
                and parts.period_grain = 'day'
                and parts.period_start < longer.period_start + interval '1' month
            )
            or (
                longer.period_grain = 'quarter'
                and parts.period_grain in ('day', 'month')
                and parts.period_start < longer.period_start + interval '3' month
            )
            or (
                longer.period_grain = 'year'
                and parts.period_grain in ('day', 'month', 'quarter')
                and parts.period_start < longer.period_start + interval '12' month
            )
        )
