-- One row per response that says who gave it.
-- grain: source_id
-- canonical: contacts
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


named as (

    select
        *,
        row_number() over (partition by record_id order by place asc nulls last) as place_in_record
    from told

),

mapped as (

    select
        record_id,
        response_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_test,
        answered_at as last_seen_at,
        external_id,
        email,
        phone
    from named
    where place_in_record = 1 and coalesce(external_id, email, phone) is not null

)

select * from mapped
