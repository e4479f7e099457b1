-- Each row is a stretch of a customer's history without a day, or one that goes on when the next one starts.
with

stretches as (

    select
        customer_id,
        valid_from,
        valid_to,
        is_current,
        lead(valid_from) over (
            partition by customer_id
            order by valid_from asc nulls first
            rows between unbounded preceding and unbounded following
        ) as next_from
    from customer_history

),

broken as (

    select
        customer_id,
        valid_from,
        valid_to,
        next_from,
        is_current
    from stretches
    where
        valid_to <= valid_from
        or valid_to > next_from
        or (next_from is not null and valid_to is null)
        or (next_from is not null and is_current)

)

select * from broken
