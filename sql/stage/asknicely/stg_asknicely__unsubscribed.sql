-- One row per contact that wants no more surveys.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_asknicely__unsubscribed

),

mapped as (

    select
        record_id,
        attributes,
        contact_id || ':survey' as source_id,
        contact_id as customer_source_id,
        email,
        'survey' as purpose,
        'email' as channel,
        'withdrawn' as state,
        unsubscribed_at is null as is_snapshot,
        unsubscribed_at as effective_at
    from raw

)

select * from mapped
