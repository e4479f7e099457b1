-- One row per contact that has unsubscribed or no longer has, which the list tells without a date.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_lemlist__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':email_marketing' as source_id,
        extracted_at,
        contact_id as customer_source_id,
        case when email like '%@%' then email end as email,
        'email_marketing' as purpose,
        'email' as channel,
        -- No longer refusing is not agreeing.
        case when is_unsubscribed then 'withdrawn' else 'unknown' end as state,
        true as is_snapshot
    from raw
    where is_unsubscribed is not null

)

select * from mapped
