-- One row per review of the company.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_trustpilot__reviews_ui

),

mapped as (

    select
        record_id,
        attributes,
        review_id as source_id,
        review_id as response_group_id,
        consumer_id as customer_source_id,
        email,
        business_unit_id as survey_id,
        review_source as survey_name,
        'stars' as question_id,
        'star' as metric,
        cast(1 as decimal(18, 4)) as scale_min,
        cast(5 as decimal(18, 4)) as scale_max,
        stars as score,
        coalesce(title || '. ' || body, body, title) as comment_text,
        lower(substr(language, 1, 2)) as language,
        'web' as channel,
        'public review' as touchpoint,
        location as segment,
        domain as product,
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
