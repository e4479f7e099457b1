-- One row per contact, as it says whether it wants surveys.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_qualtrics__directory_contacts
    where is_unsubscribed is not null

),

mapped as (

    select
        record_id,
        contact_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        email,
        'survey' as purpose,
        'email' as channel,
        case when is_unsubscribed then 'withdrawn' else 'unknown' end as state,
        unsubscribed_at is null as is_snapshot,
        unsubscribed_at as effective_at
    from raw

)

select * from mapped
