-- One row per scored question of a response, answered or not.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_generic__responses

),

scaled as (

    select
        *,
        coalesce(
            scale_min,
            case metric
                when 'nps' then cast(0 as decimal(18, 4))
                when 'enps' then cast(0 as decimal(18, 4))
                when 'star' then cast(1 as decimal(18, 4))
                when 'csat' then csat_scale_min
                when 'ces' then ces_scale_min
            end
        ) as least_score,
        coalesce(
            scale_max,
            case metric
                when 'nps' then cast(10 as decimal(18, 4))
                when 'enps' then cast(10 as decimal(18, 4))
                when 'star' then cast(5 as decimal(18, 4))
                when 'csat' then csat_scale_max
                when 'ces' then ces_scale_max
            end
        ) as greatest_score
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        coalesce(response_group_id, source_id) as response_group_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        survey_id,
        survey_name,
        question_id,
        question_text,
        metric,
        least_score as scale_min,
        greatest_score as scale_max,
        is_effort,
        score,
        score_label,
        comment_text,
        lower(language) as language,
        upper(country) as country,
        lower(channel) as channel,
        touchpoint,
        segment,
        product,
        coalesce(
            status,
            case
                when score is not null then 'answered'
                when answered_at is not null then 'partial'
                else 'unanswered'
            end
        ) as status,
        is_incentivised,
        conversation_source_id,
        order_source_id,
        asked_at,
        opened_at,
        answered_at,
        case when score < least_score or score > greatest_score then 'off_scale' end as reject_rule,
        'score' as reject_column,
        cast(score as string) as reject_text
    from scaled

)

select * from mapped
