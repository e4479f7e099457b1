-- One row per address that unsubscribed.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_lemlist__unsubscribes

),

mapped as (

    select
        record_id,
        attributes,
        unsubscribe_id as source_id,
        value as email,
        'email_marketing' as purpose,
        'email' as channel,
        'withdrawn' as state,
        created_at is null as is_snapshot,
        created_at as effective_at
    from raw
    where value like '%@%' and value not like '@%' and coalesce(origin, '') <> 'bounce'

)

select * from mapped
