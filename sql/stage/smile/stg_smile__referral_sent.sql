-- One row per referral, as the one who sent it.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_smile__referrals

),

mapped as (

    select
        record_id,
        attributes,
        referral_id || ':sender' as source_id,
        updated_at as source_updated_at,
        sender_id as customer_source_id,
        sender_email as email,
        'referral_sent' as name,
        'other' as channel,
        'loyalty' as touchpoint,
        created_at as occurred_at
    from raw
    where sender_id is not null or sender_email is not null

)

select * from mapped
