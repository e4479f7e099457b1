-- One row per public review of a product. Its score is a survey response, too, of the same id.
-- grain: source_id
-- canonical: social_mentions
with

raw as (

    select * from raw_feefo__reviews

),

mapped as (

    select
        record_id,
        product_id as source_id,
        updated_at as source_updated_at,
        coalesce(product_status, 'published') <> 'published' as is_deleted,
        email,
        external_id,
        'other' as network,
        'review' as kind,
        display_name as author_name,
        product_review as body_text,
        page_url,
        lower(substr(locale, 1, 2)) as language,
        case
            when product_rating between coalesce(product_min, star_scale_min) and coalesce(product_max, star_scale_max) then product_rating
        end as rating,
        coalesce(product_max, star_scale_max) as rating_max,
        merchant as brand_profile,
        order_id as order_source_id,
        product_title as product,
        product_at as posted_at
    from raw
    where product_id is not null

)

select * from mapped
