-- One row per review of a product.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_feefo__reviews

),

scaled as (

    select
        *,
        coalesce(product_min, star_scale_min) as least_score,
        coalesce(product_max, star_scale_max) as greatest_score
    from raw
    where product_id is not null

),

mapped as (

    select
        record_id,
        product_id as source_id,
        coalesce(service_id, first_product_id) as response_group_id,
        updated_at as source_updated_at,
        email,
        phone,
        external_id,
        merchant as survey_id,
        'product' as question_id,
        'star' as metric,
        least_score as scale_min,
        greatest_score as scale_max,
        product_rating as score,
        product_review as comment_text,
        product_title as product,
        lower(substr(locale, 1, 2)) as language,
        nullif(upper(substr(locale, 4, 2)), '') as country,
        'web' as channel,
        'post-purchase' as touchpoint,
        case when product_rating is null then 'partial' else 'answered' end as status,
        order_id as order_source_id,
        product_at as answered_at,
        product_status = 'published' as is_published,
        case when product_rating < least_score or product_rating > greatest_score then 'off_scale' end as reject_rule,
        'product_rating' as reject_column,
        cast(product_rating as string) as reject_text
    from scaled

)

select * from mapped
