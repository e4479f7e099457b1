-- One row per scored question of a response.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_qualtrics__question_responses

),

told as (

    select
        record_id,
        attributes,
        response_id,
        survey_id,
        survey_name,
        extracted_at,
        coalesce(modified_at, recorded_at) as updated_at,
        is_deleted,
        coalesce(status_text in ('Survey Preview', 'Survey Test', 'Spam', 'Possible Spam', '1', '2', '8', '9'), false) as is_test,
        external_id,
        email,
        case
            when distribution_channel in ('email', 'sms') then distribution_channel
            when distribution_channel in ('anonymous', 'gl', 'qr', 'social') then 'web'
            when distribution_channel is not null then 'other'
        end as channel,
        lower(substr(language, 1, 2)) as language,
        started_at as opened_at,
        case when coalesce(is_finished, true) then recorded_at else ended_at end as answered_at,
        case when coalesce(is_finished, true) then 'answered' else 'partial' end as status,
        question_id,
        question_text,
        nullif(
            coalesce(sub_question, '') || coalesce(':' || option_key, '') || coalesce(':' || loop_id, ''),
            ''
        ) as sub_id,
        coalesce(text, value) as answer_text,
        try_cast(value as decimal(18, 4)) as score,
        text as score_label,
        csat_scale_min,
        csat_scale_max,
        ces_scale_min,
        ces_scale_max,
        star_scale_min,
        star_scale_max,
        case
            when upper(selector) = 'NPS'
                or replace(';' || nps_questions || ';', ';' || question_id || ';', '') <> ';' || nps_questions || ';' then 'nps'
            when replace(';' || csat_questions || ';', ';' || question_id || ';', '') <> ';' || csat_questions || ';' then 'csat'
            when replace(';' || ces_questions || ';', ';' || question_id || ';', '') <> ';' || ces_questions || ';' then 'ces'
            when replace(';' || star_questions || ';', ';' || question_id || ';', '') <> ';' || star_questions || ';' then 'star'
        end as metric
    from raw

),

scaled as (

    select
        *,
        case metric
            when 'nps' then cast(0 as decimal(18, 4))
            when 'csat' then csat_scale_min
            when 'ces' then ces_scale_min
            when 'star' then star_scale_min
        end as scale_min,
        case metric
            when 'nps' then cast(10 as decimal(18, 4))
            when 'csat' then csat_scale_max
            when 'ces' then ces_scale_max
            when 'star' then star_scale_max
        end as scale_max
    from told

),

mapped as (

    select
        record_id,
        attributes,
        response_id || ':' || question_id as source_id,
        response_id as response_group_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        is_test,
        external_id,
        email,
        survey_id,
        survey_name,
        channel,
        language,
        opened_at,
        question_id,
        question_text,
        metric,
        scale_min,
        scale_max,
        score,
        score_label,
        status,
        answered_at,
        case
            when score is null then 'not_a_number'
            when score < scale_min or score > scale_max then 'off_scale'
        end as reject_rule,
        'value' as reject_column,
        answer_text as reject_text
    from scaled
    where metric is not null and answer_text is not null

)

select * from mapped
