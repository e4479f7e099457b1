-- One row per request with messages: when the customer's wait began.
-- What an agent opened is no request until the customer writes.
-- grain: request_id
with

openings as (

    select
        request_id,
        min(created_at) as created_at,
        count(*) as n_messages,
        min(sent_at) filter (where author_kind = 'customer') as first_customer_at,
        count(*) filter (
            where author_kind = 'customer' and sent_at <= created_at
        ) as n_opening_customer,
        count(*) filter (
            where author_kind = 'agent' and is_public and sent_at <= created_at
        ) as n_opening_agent
    from service_messages
    group by request_id

)

select
    request_id,
    n_messages,
    n_opening_agent > 0 and n_opening_customer = 0 as is_outbound,
    case
        when n_opening_agent > 0 and n_opening_customer = 0 then first_customer_at
        else created_at
    end as started_at
from openings
