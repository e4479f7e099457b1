-- One row per mail event by which someone refused, or agreed to, more.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_hubspot__email_events

),

mapped as (

    select
        record_id,
        event_id as source_id,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        is_filtered as is_test,
        recipient as email,
        'email_marketing' as purpose,
        'email' as channel,
        case
            when upper(type) = 'SPAMREPORT' then 'withdrawn'
            when upper(type) = 'UNSUBSCRIBED' then 'withdrawn'
            when upper(subscription_status) = 'UNSUBSCRIBED' then 'withdrawn'
            else 'granted'
        end as state,
        false as is_snapshot,
        created_at as effective_at
    from raw
    where
        upper(type) in ('SPAMREPORT', 'UNSUBSCRIBED')
        or (
            upper(type) = 'STATUSCHANGE'
            and not coalesce(is_bounced, false)
            and upper(subscription_status) in ('UNSUBSCRIBED', 'SUBSCRIBED')
        )

)

select * from mapped
