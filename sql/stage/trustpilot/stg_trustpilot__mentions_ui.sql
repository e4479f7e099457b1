-- One row per public review. Its stars are a survey response, too, of the same id.
-- grain: source_id
-- canonical: social_mentions
with

raw as (

    select * from raw_trustpilot__reviews_ui

),

mapped as (

    select
        record_id,
        review_id as source_id,
        consumer_id as customer_source_id,
        email,
        'trustpilot' as network,
        'review' as kind,
        consumer_name as author_name,
        coalesce(title || '. ' || body, body, title) as body_text,
        lower(substr(language, 1, 2)) as language,
        case
            when stars between cast(1 as decimal(18, 4)) and cast(5 as decimal(18, 4)) then stars
        end as rating,
        cast(5 as decimal(18, 4)) as rating_max,
        domain as brand_profile,
        order_id as order_source_id,
        created_at as posted_at
    from raw

)

select * from mapped
