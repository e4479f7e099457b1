-- One row per answer that is no score.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_surveymonkey__responses_ui

),

-- `Which channels did you use?: Phone` is the choice Phone of a question
asked as (

    select
        *,
        case
            when title <> '' and header like '%: ' || title
                then substr(header, 1, length(header) - length(title) - 2)
            else header
        end as question
    from raw

),

told as (

    select
        record_id,
        response_id,
        survey_id,
        survey_name,
        cast(null as timestamp) as extracted_at,
        ended_at as updated_at,
        false as is_test,
        external_id,
        email,
        first_name,
        last_name,
        'web' as channel,
        touchpoint,
        replace(order_id, '#', '') as order_source_id,
        created_at as opened_at,
        ended_at as answered_at,
        -- The file does not say whether a response was finished.
        case when max(place) over (partition by record_id) is not null then 'answered' else 'partial' end
            as status,
        place,
        question as question_id,
        question as question_text,
        case when title not in ('', 'Response', 'Open-Ended Response') then title end as sub_id,
        case when title not in ('', 'Response', 'Open-Ended Response') then 'choice' else 'text' end
            as answer_type,
        answer_text,
        try_cast(split_part(trim(answer_text), ' ', 1) as decimal(18, 4)) as score,
        case when answer_text like '% %' then answer_text end as score_label,
        case
            when comment_questions is null then title = 'Open-Ended Response'
            else replace(';' || comment_questions || ';', ';' || question || ';', '')
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
            when replace(';' || nps_questions || ';', ';' || question || ';', '') <> ';' || nps_questions || ';' then 'nps'
            when replace(';' || csat_questions || ';', ';' || question || ';', '') <> ';' || csat_questions || ';' then 'csat'
            when replace(';' || ces_questions || ';', ';' || question || ';', '') <> ';' || ces_questions || ';' then 'ces'
            when replace(';' || star_questions || ';', ';' || question || ';', '') <> ';' || star_questions || ';' then 'star'
        end as metric
    from asked

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
