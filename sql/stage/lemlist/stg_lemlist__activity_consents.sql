-- One row per person that unsubscribed by a mail.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_lemlist__activities

),

mapped as (

    select
        record_id,
        activity_id as source_id,
        extracted_at,
        coalesce(contact_id, lead_id) as customer_source_id,
        case when email like '%@%' then email end as email,
        phone,
        'email_marketing' as purpose,
        'email' as channel,
        'withdrawn' as state,
        false as is_snapshot,
        created_at as effective_at
    from raw
    where type = 'emailsUnsubscribed'

)

select * from mapped
