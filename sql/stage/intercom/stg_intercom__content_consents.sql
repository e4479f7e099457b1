-- One row per message that someone unsubscribed from.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_intercom__content_export

),

mapped as (

    select
        record_id,
        receipt_id || ':unsubscribed' as source_id,
        contact_id as customer_source_id,
        external_id,
        email,
        case when lower(content_type) = 'sms' then 'sms' else 'email_marketing' end as purpose,
        case when lower(content_type) = 'sms' then 'sms' else 'email' end as channel,
        'withdrawn' as state,
        false as is_snapshot,
        unsubscribed_at as effective_at
    from raw
    where unsubscribed_at is not null

)

select * from mapped
