-- One row per lead that has unsubscribed, which the list tells without a date.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_lemlist__leads

),

mapped as (

    select
        record_id,
        lead_id || ':email_marketing' as source_id,
        lead_id as customer_source_id,
        case when email like '%@%' then email end as email,
        'email_marketing' as purpose,
        'email' as channel,
        'withdrawn' as state,
        true as is_snapshot
    from raw
    where status = 'unsubscribed'

)

select * from mapped
