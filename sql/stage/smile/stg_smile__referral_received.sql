-- One row per referral, as the one who got it.
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
        referral_id || ':receiver' as source_id,
        updated_at as source_updated_at,
        receiver_id as customer_source_id,
        receiver_email as email,
        'referral_received' as name,
        'other' as channel,
        'loyalty' as touchpoint,
        created_at as occurred_at
    from raw
    where receiver_id is not null or receiver_email is not null

)

select * from mapped
