-- One row per response that says who gave it.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_typeform__responses

),

told as (

    select
        record_id,
        token as response_id,
        form_id as survey_id,
        survey_name,
        extracted_at,
        coalesce(submitted_at, landed_at) as updated_at,
        false as is_test,
        external_id,
        coalesce(hidden_email, max(email) over (partition by record_id)) as email,
        coalesce(hidden_phone, max(phone) over (partition by record_id)) as phone,
        'web' as channel,
        touchpoint,
        replace(order_id, '#', '') as order_source_id,
        landed_at as opened_at,
        submitted_at as answered_at,
        case
            when submitted_at is not null and coalesce(response_type, 'completed') = 'completed'
                then 'answered'
            when max(place) over (partition by record_id) is not null then 'partial'
            else 'unanswered'
        end as status,
        place,
        field_id as question_id,
        field_title as question_text,
        cast(null as string) as sub_id,
        case
            when number is not null then 'number'
            when boolean is not null then 'bool'
            when answer_kind = 'choice' then 'choice'
            when answer_kind = 'date' then 'date'
            else 'text'
        end as answer_type,
        case
            when number is not null then cast(number as string)
            when boolean then 'true'
            when not boolean then 'false'
            else text
        end as answer_text,
        number as score,
        cast(null as string) as score_label,
        field_type in ('long_text', 'short_text') and comment_questions is null
        or coalesce(
            replace(';' || comment_questions || ';', ';' || field_id || ';', '')
            <> ';' || comment_questions || ';',
            false
        )
        or coalesce(
            replace(';' || comment_questions || ';', ';' || field_ref || ';', '')
            <> ';' || comment_questions || ';',
            false
        ) as is_comment,
        email is null and phone is null and choices is null as is_answer,
        csat_scale_min,
        csat_scale_max,
        ces_scale_min,
        ces_scale_max,
        star_scale_min,
        star_scale_max,
        case
            when field_type = 'nps'
                or replace(';' || nps_questions || ';', ';' || field_id || ';', '') <> ';' || nps_questions || ';'
                or replace(';' || nps_questions || ';', ';' || field_ref || ';', '') <> ';' || nps_questions || ';' then 'nps'
            when replace(';' || csat_questions || ';', ';' || field_id || ';', '') <> ';' || csat_questions || ';'
                or replace(';' || csat_questions || ';', ';' || field_ref || ';', '') <> ';' || csat_questions || ';' then 'csat'
            when replace(';' || ces_questions || ';', ';' || field_id || ';', '') <> ';' || ces_questions || ';'
                or replace(';' || ces_questions || ';', ';' || field_ref || ';', '') <> ';' || ces_questions || ';' then 'ces'
            when replace(';' || star_questions || ';', ';' || field_id || ';', '') <> ';' || star_questions || ';'
                or replace(';' || star_questions || ';', ';' || field_ref || ';', '') <> ';' || star_questions || ';' then 'star'
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
