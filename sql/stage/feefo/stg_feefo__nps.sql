-- One row per answer to the NPS question.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_feefo__reviews

),

scaled as (

    select
        *,
        coalesce(nps_min, nps_scale_min) as least_score,
        coalesce(nps_max, nps_scale_max) as greatest_score
    from raw
    where nps_rating is not null and coalesce(product_index, 1) = 1

),

mapped as (

    select
        record_id,
        coalesce(service_id, first_product_id) || ':nps' as source_id,
        coalesce(service_id, first_product_id) as response_group_id,
        updated_at as source_updated_at,
        email,
        phone,
        external_id,
        merchant as survey_id,
        'nps' as question_id,
        'nps' as metric,
        least_score as scale_min,
        greatest_score as scale_max,
        nps_rating as score,
        nps_reason as comment_text,
        lower(substr(locale, 1, 2)) as language,
        nullif(upper(substr(locale, 4, 2)), '') as country,
        'web' as channel,
        'post-purchase' as touchpoint,
        case when nps_rating is null then 'partial' else 'answered' end as status,
        order_id as order_source_id,
        coalesce(nps_at, service_at, updated_at) as answered_at,
        case when nps_rating < least_score or nps_rating > greatest_score then 'off_scale' end as reject_rule,
        'nps_rating' as reject_column,
        cast(nps_rating as string) as reject_text
    from scaled

)

select * from mapped
