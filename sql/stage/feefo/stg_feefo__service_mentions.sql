-- One row per public review of the service. Its score is a survey response, too, of the same id.
-- grain: source_id
-- canonical: social_mentions
with

raw as (

    select * from raw_feefo__reviews

),

mapped as (

    select
        record_id,
        service_id as source_id,
        updated_at as source_updated_at,
        coalesce(service_status, 'published') <> 'published' as is_deleted,
        email,
        external_id,
        'other' as network,
        'review' as kind,
        display_name as author_name,
        coalesce(service_title || '. ' || service_review, service_review, service_title) as body_text,
        page_url,
        lower(substr(locale, 1, 2)) as language,
        case
            when service_rating between coalesce(service_min, star_scale_min) and coalesce(service_max, star_scale_max) then service_rating
        end as rating,
        coalesce(service_max, star_scale_max) as rating_max,
        merchant as brand_profile,
        order_id as order_source_id,
        service_at as posted_at
    from raw
    where service_id is not null and coalesce(product_index, 1) = 1

)

select * from mapped
