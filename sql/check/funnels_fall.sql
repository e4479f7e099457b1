-- Each row is a step of a funnel that more customers took than the one before, or whose numbers do not add up.
with

steps as (

    select
        period_grain,
        period_start,
        funnel,
        step_position,
        dimension,
        dimension_value,
        is_suppressed,
        n_entered,
        n_open,
        n_before,
        n_reached,
        n_dropped,
        step_rate,
        step_low,
        step_high,
        conversion_rate,
        conversion_low,
        conversion_high
    from funnels

),

paired as (

    select
        later.*,
        earlier.n_reached as n_reached_before,
        earlier.n_entered as n_entered_before
    from steps as later
    left join steps as earlier
        on
            later.period_grain = earlier.period_grain
            and later.period_start = earlier.period_start
            and later.funnel = earlier.funnel
            and later.dimension = earlier.dimension
            and later.dimension_value = earlier.dimension_value
            and later.step_position = earlier.step_position + 1

)

select
    period_grain,
    period_start,
    funnel,
    step_position,
    dimension,
    dimension_value
from paired
where
    n_entered < 1
    or n_open < 0
    or n_open > n_entered
    or n_reached > n_before
    or n_dropped <> n_before - n_reached
    or n_entered_before <> n_entered
    or (step_position > 1 and n_entered_before is null)
    or (step_position > 1 and n_reached_before <> n_before)
    or (step_position = 1 and (n_before <> n_entered - n_open or n_reached <> n_before))
    or step_rate < step_low
    or step_rate > step_high
    or conversion_rate < conversion_low
    or conversion_rate > conversion_high
    or is_suppressed <> (n_reached is null)
