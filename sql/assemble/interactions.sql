-- One row per touch between a customer and the company.
-- grain: interaction_id
with

touches as (

    select * from dated_events
    where kind not in ('contact_created', 'subscription_started', 'subscription_ended')

)

select
    event_id as interaction_id,
    customer_id,
    cast(null as string) as customer_id_as_of,
    occurred_at,
    occurred_date,
    channel,
    touchpoint,
    kind,
    name,
    case
        when kind in ('survey_asked', 'conversation_resolved', 'refund') then 'out'
        when
            kind = 'event'
            and (
                name like '%sent'
                or name like '%delivered'
                or name like '%bounced'
            )
            then 'out'
        else 'in'
    end as direction,
    cast(null as string) as journey_stage,
    source,
    reference,
    amount,
    currency,
    cast(null as double) as sentiment,
    coalesce(
        cast(substr(cast(occurred_date as string), 1, 7) || '-01' as date), date '1970-01-01'
    ) as month
from touches
