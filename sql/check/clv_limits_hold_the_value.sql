-- Each row is a lifetime value outside its own interval, or with one limit only.
select
    customer_id,
    as_of,
    clv_low,
    clv_probabilistic,
    clv_high
from customer_lifetime_value
where
    clv_low > clv_probabilistic
    or clv_high < clv_probabilistic
    or (clv_low is null) <> (clv_high is null)
    or dert < cast(0 as double)
    or derl < cast(0 as double)
    or clv_contractual < cast(0 as decimal(18, 4))
