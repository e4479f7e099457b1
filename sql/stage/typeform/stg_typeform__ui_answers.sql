-- One row per answer that is no score.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_typeform__responses_ui

),

told as (

    select
        record_id,
        token as response_id,
        survey_id,
        survey_name,
        cast(null as timestamp) as extracted_at,
        coalesce(submitted_at, landed_at) as updated_at,
        false as is_test,
        external_id,
        email,
        phone,
        'web' as channel,
        touchpoint,
        replace(order_id, '#', '') as order_source_id,
        landed_at as opened_at,
        submitted_at as answered_at,
        case
            when submitted_at is not null and coalesce(lower(response_type), 'completed') = 'completed'
                then 'answered'
            when max(place) over (partition by record_id) is not null then 'partial'
            else 'unanswered'
        end as status,
        place,
        question as question_id,
        question as question_text,
        cast(null as string) as sub_id,
        'text' as answer_type,
        answer_text,
        try_cast(answer_text as decimal(18, 4)) as score,
        cast(null as string) as score_label,
        coalesce(
            replace(';' || comment_questions || ';', ';' || question || ';', '')
            <> ';' || comment_questions || ';',
            false
        ) as is_comment,
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
        phone,
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
