-- One row per event in a customer's life; rows without a person or a time are not part of any life.
-- grain: event_id
select
    customer_id,
    occurred_at,
    event_id,
    kind,
    name,
    source,
    channel,
    touchpoint,
    amount,
    currency,
    score,
    scale_max,
    reference,
    occurred_date,
    dt
from dated_events
where customer_id is not null
