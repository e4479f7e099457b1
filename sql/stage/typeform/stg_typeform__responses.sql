-- One row per scored question of a response; one without a score while it has none.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_typeform__responses

),

told as (

    select
        record_id,
        attributes,
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

-- The first row of a record speaks for it; a response that got a score has no row without one any more.
placed as (

    select
        *,
        row_number() over (partition by record_id order by place asc nulls last) = 1 as is_first,
        row_number() over (
            partition by record_id
            order by
                case when metric is null or answer_text is null then 1 else 0 end asc nulls last,
                place asc nulls last
        ) = 1 as is_first_score,
        count(case when metric is not null and answer_text is not null then 1 end)
            over (partition by record_id) > 0 as has_score,
        max(case when comment_place = place then answer_text end)
            over (partition by record_id) as comment_text
    from (
        select
            *,
            min(case when is_comment and answer_text is not null then place end)
                over (partition by record_id) as comment_place
        from scaled
    ) as commented

),

kinds (kind) as (

    values ('score'), ('whole')

),

mapped as (

    select
        record_id,
        attributes,
        case kind when 'score' then response_id || ':' || question_id else response_id end as source_id,
        response_id as response_group_id,
        updated_at as source_updated_at,
        extracted_at,
        kind = 'whole' and has_score as is_deleted,
        is_test,
        external_id,
        email,
        phone,
        survey_id,
        survey_name,
        channel,
        touchpoint,
        order_source_id,
        opened_at,
        case kind when 'score' then question_id end as question_id,
        case kind when 'score' then question_text end as question_text,
        case kind when 'score' then metric end as metric,
        case kind when 'score' then scale_min end as scale_min,
        case kind when 'score' then scale_max end as scale_max,
        case kind when 'score' then score end as score,
        case kind when 'score' then score_label end as score_label,
        case when kind = 'whole' or is_first_score then comment_text end as comment_text,
        status,
        answered_at,
        case
            when kind = 'whole' then null
            when score is null then 'not_a_number'
            when score < scale_min or score > scale_max then 'off_scale'
        end as reject_rule,
        'answer' as reject_column,
        answer_text as reject_text
    from placed
    cross join kinds
    where
        (kind = 'score' and metric is not null and answer_text is not null)
        or (kind = 'whole' and is_first)

)

select * from mapped
