-- One row per answer by text message.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_generic__sms_answers

),

scaled as (

    select
        *,
        coalesce(metric, default_metric) as own_metric,
        try_cast(trim(answer) as decimal(18, 4)) as score,
        coalesce(
            scale_min,
            default_scale_min,
            case when coalesce(metric, default_metric) in ('nps', 'enps') then cast(0 as decimal(18, 4)) end
        ) as least_score,
        coalesce(
            scale_max,
            default_scale_max,
            case when coalesce(metric, default_metric) in ('nps', 'enps') then cast(10 as decimal(18, 4)) end
        ) as greatest_score
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        source_id as response_group_id,
        survey_id,
        survey_name,
        question_id,
        question_text,
        own_metric as metric,
        least_score as scale_min,
        greatest_score as scale_max,
        is_effort,
        score,
        case when score is null then answer end as comment_text,
        'sms' as channel,
        touchpoint,
        case when score is null then 'partial' else 'answered' end as status,
        conversation_source_id,
        order_source_id,
        asked_at,
        answered_at,
        case
            when least_score is null or greatest_score is null then 'missing_scale'
            when score < least_score or score > greatest_score then 'off_scale'
        end as reject_rule,
        'answer' as reject_column,
        cast(score as string) as reject_text
    from scaled

)

select * from mapped
