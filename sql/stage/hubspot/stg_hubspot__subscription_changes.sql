-- One row per change of one subscription.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_hubspot__subscription_changes

),

mapped as (

    select
        record_id,
        attributes,
        recipient || ':' || coalesce(subscription_id, 'all') || ':'
        || cast(coalesce(changed_at, recorded_at) as string) as source_id,
        recipient as email,
        'email_marketing' as purpose,
        'email' as channel,
        case
            when upper(change) in ('UNSUBSCRIBED', 'OPT_OUT', 'REPORTED_SPAM') then 'withdrawn'
            when upper(change) in ('SUBSCRIBED', 'OPT_IN') then 'granted'
            else 'unknown'
        end as state,
        false as is_snapshot,
        coalesce(changed_at, recorded_at) as effective_at
    from raw
    where change is not null and upper(change) <> 'BOUNCED'

)

select * from mapped
