-- Stays in a stage that do not end when the next one begins, or that end and are called current.
with

stays as (

    select
        customer_id,
        entered_at,
        stage_position,
        left_at,
        is_current,
        lead(entered_at) over (
            partition by customer_id
            order by entered_at asc nulls first, stage_position asc nulls first
        ) as next_entered_at
    from journey_stage_history

)

select
    customer_id,
    entered_at,
    stage_position
from stays
where
    is_current <> (left_at is null)
    or (left_at is null) <> (next_entered_at is null)
    or left_at <> next_entered_at
    or left_at < entered_at
