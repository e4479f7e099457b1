-- One row per review of the service.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_feefo__reviews

),

scaled as (

    select
        *,
        coalesce(service_min, star_scale_min) as least_score,
        coalesce(service_max, star_scale_max) as greatest_score
    from raw
    where service_id is not null and coalesce(product_index, 1) = 1

),

mapped as (

    select
        record_id,
        attributes,
        service_id as source_id,
        coalesce(service_id, first_product_id) as response_group_id,
        updated_at as source_updated_at,
        email,
        phone,
        external_id,
        merchant as survey_id,
        'service' as question_id,
        'star' as metric,
        least_score as scale_min,
        greatest_score as scale_max,
        service_rating as score,
        coalesce(service_title || '. ' || service_review, service_review, service_title) as comment_text,
        lower(substr(locale, 1, 2)) as language,
        nullif(upper(substr(locale, 4, 2)), '') as country,
        'web' as channel,
        'post-purchase' as touchpoint,
        case when service_rating is null then 'partial' else 'answered' end as status,
        order_id as order_source_id,
        service_at as answered_at,
        service_status = 'published' as is_published,
        case when service_rating < least_score or service_rating > greatest_score then 'off_scale' end as reject_rule,
        'service_rating' as reject_column,
        cast(service_rating as string) as reject_text
    from scaled

)

select * from mapped
