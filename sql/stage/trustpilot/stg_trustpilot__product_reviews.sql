-- One row per review of a product.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_trustpilot__product_reviews

),

mapped as (

    select
        record_id,
        attributes,
        review_id as source_id,
        review_id as response_group_id,
        consumer_id as customer_source_id,
        email,
        'product' as survey_name,
        coalesce(product_sku, 'stars') as question_id,
        'star' as metric,
        cast(1 as decimal(18, 4)) as scale_min,
        cast(5 as decimal(18, 4)) as scale_max,
        stars as score,
        body as comment_text,
        lower(substr(language, 1, 2)) as language,
        'web' as channel,
        'public review' as touchpoint,
        product_title as product,
        'answered' as status,
        order_id as order_source_id,
        created_at as answered_at,
        case
            when stars < cast(1 as decimal(18, 4)) or stars > cast(5 as decimal(18, 4)) then 'off_scale'
        end as reject_rule,
        'stars' as reject_column,
        cast(stars as string) as reject_text
    from raw

)

select * from mapped
