-- Each row is a customer with a value that cannot be.
select
    customer_id,
    as_of,
    frequency,
    recency,
    age,
    p_alive,
    expected_orders,
    decile
from customer_lifetime_value
where
    frequency < 0
    or recency < 0
    or recency > age
    or (frequency = 0 and recency > 0)
    or p_alive < cast(0 as double)
    or p_alive > cast(1 as double)
    or expected_orders < cast(0 as double)
    or decile < 1
    or decile > 10
