-- One row per person who wants no more surveys.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_delighted__unsubscribes

),

mapped as (

    select
        record_id,
        attributes,
        person_id as source_id,
        unsubscribed_at as source_updated_at,
        extracted_at,
        person_id as customer_source_id,
        email,
        'survey' as purpose,
        'email' as channel,
        'withdrawn' as state,
        false as is_snapshot,
        unsubscribed_at as effective_at
    from raw

)

select * from mapped
