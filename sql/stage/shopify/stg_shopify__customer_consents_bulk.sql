-- One row per customer of a bulk operation and channel, as it says what the customer agreed to.
-- grain: source_id
-- canonical: consents
with

raw as (

    select
        *,
        split_part(gid, '/', 5) as own_id
    from raw_shopify__customers_bulk
    where gid like 'gid://shopify/Customer/%'

),

purposes (purpose) as (

    values ('email_marketing'), ('sms')

),

told as (

    select
        raw.*,
        purposes.purpose,
        case
            when purposes.purpose = 'sms' then lower(raw.sms_state)
            when raw.email_state is not null then lower(raw.email_state)
            when raw.accepts_marketing then 'subscribed'
            when not raw.accepts_marketing then 'not_subscribed'
        end as marketing_state,
        case
            when purposes.purpose = 'sms' then raw.sms_state_at
            else coalesce(raw.email_state_at, raw.accepts_marketing_at)
        end as stated_at
    from raw
    cross join purposes

),

mapped as (

    select
        record_id,
        own_id || ':' || purpose as source_id,
        updated_at as source_updated_at,
        extracted_at,
        own_id as customer_source_id,
        email,
        phone,
        purpose,
        case purpose when 'sms' then 'sms' else 'email' end as channel,
        case
            when marketing_state = 'subscribed' then 'granted'
            when marketing_state in ('unsubscribed', 'redacted') then 'withdrawn'
            -- Never asked, or asked and not confirmed.
            else 'unknown'
        end as state,
        stated_at is null as is_snapshot,
        stated_at as effective_at
    from told
    where marketing_state is not null

)

select * from mapped
