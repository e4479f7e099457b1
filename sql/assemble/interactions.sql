-- One row per touch between a customer and the company.
-- grain: interaction_id
with

touches as (

    select * from dated_events
    where kind not in ('contact_created', 'subscription_started', 'subscription_ended')

),

former as (

    select
        identity_key,
        valid_from,
        valid_to,
        customer_id
    from identity_former

)

select
    touches.event_id as interaction_id,
    touches.customer_id,
    coalesce(former.customer_id, touches.customer_id) as customer_id_as_of,
    touches.occurred_at,
    touches.occurred_date,
    touches.channel,
    touches.touchpoint,
    touches.kind,
    touches.name,
    case
        when touches.kind in ('survey_asked', 'conversation_resolved', 'refund') then 'out'
        when
            touches.kind = 'event'
            and (
                touches.name like '%sent'
                or touches.name like '%delivered'
                or touches.name like '%bounced'
            )
            then 'out'
        else 'in'
    end as direction,
    cast(null as string) as journey_stage,
    touches.source,
    touches.reference,
    touches.amount,
    touches.currency,
    cast(null as double) as sentiment,
    coalesce(
        cast(substr(cast(touches.occurred_date as string), 1, 7) || '-01' as date), date '1970-01-01'
    ) as month
from touches
left join former
    on
        touches.identity_key = former.identity_key
        and touches.dt >= former.valid_from
        and touches.dt < former.valid_to
