-- One row per answer that is no score.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_surveymonkey__responses

),

told as (

    select
        record_id,
        response_id,
        survey_id,
        survey_name,
        extracted_at,
        modified_at as updated_at,
        coalesce(collection_mode, 'default') <> 'default' as is_test,
        external_id,
        email,
        cast(null as string) as phone,
        first_name,
        last_name,
        'web' as channel,
        touchpoint,
        replace(order_id, '#', '') as order_source_id,
        lower(substr(language, 1, 2)) as language,
        created_at as opened_at,
        modified_at as answered_at,
        case
            when response_status = 'completed' then 'answered'
            when response_status in ('overquota', 'disqualified') then 'disqualified'
            else 'partial'
        end as status,
        place,
        question_id,
        heading as question_text,
        nullif(
            coalesce(row_id, '') || coalesce(':' || column_id, '') || coalesce(':' || choice_id, '')
            || coalesce(':' || other_id, ''),
            ''
        ) as sub_id,
        case when coalesce(simple_text, text) is not null and choice_id is null then 'text' else 'choice' end
            as answer_type,
        coalesce(simple_text, text, cast(weight as string), choice_id) as answer_text,
        -- `10 - Extremely likely` starts with its number
        coalesce(weight, try_cast(split_part(trim(coalesce(simple_text, text)), ' ', 1) as decimal(18, 4)))
            as score,
        simple_text as score_label,
        case
            when comment_questions is null then family = 'open_ended' or (text is not null and choice_id is null)
            else replace(';' || comment_questions || ';', ';' || question_id || ';', '')
                <> ';' || comment_questions || ';'
        end as is_comment,
        true as is_answer,
        csat_scale_min,
        csat_scale_max,
        ces_scale_min,
        ces_scale_max,
        star_scale_min,
        star_scale_max,
        case
            when subtype = 'nps'
                or replace(';' || nps_questions || ';', ';' || question_id || ';', '') <> ';' || nps_questions || ';' then 'nps'
            when replace(';' || csat_questions || ';', ';' || question_id || ';', '') <> ';' || csat_questions || ';' then 'csat'
            when replace(';' || ces_questions || ';', ';' || question_id || ';', '') <> ';' || ces_questions || ';' then 'ces'
            when replace(';' || star_questions || ';', ';' || question_id || ';', '') <> ';' || star_questions || ';' then 'star'
        end as metric
    from raw

),


mapped as (

    select
        record_id,
        response_id || ':' || question_id || coalesce(':' || sub_id, '') as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_test,
        external_id,
        email,
        response_id as response_group_id,
        survey_id,
        question_id,
        sub_id,
        cast(1 as bigint) as place,
        question_text,
        answer_type,
        answer_text as value_text,
        case when answer_type = 'number' then try_cast(answer_text as decimal(18, 4)) end
            as value_number,
        answered_at
    from told
    where metric is null and answer_text is not null and is_answer

)

select * from mapped
