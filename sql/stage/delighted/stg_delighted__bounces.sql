-- One row per survey mail that came back.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_delighted__bounces

),

mapped as (

    select
        record_id,
        attributes,
        person_id || ':' || bounced_at_text as source_id,
        extracted_at,
        person_id as customer_source_id,
        email,
        'email' as channel,
        'bounced' as action,
        bounced_at as occurred_at
    from raw

)

select * from mapped
