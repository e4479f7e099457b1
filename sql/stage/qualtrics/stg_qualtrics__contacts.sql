-- One row per response that says who gave it.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_qualtrics__responses

),

-- A question is NPS where the export names the group beside it.
grouped as (

    select
        *,
        replace(question, '_NPS_GROUP', '') || '_NPS_GROUP' = question as is_group,
        max(case when replace(question, '_NPS_GROUP', '') || '_NPS_GROUP' = question then 1 else 0 end)
            over (partition by record_id, replace(question, '_NPS_GROUP', '')) = 1 as has_group
    from raw

),

told as (

    select
        record_id,
        response_id,
        survey_id,
        survey_name,
        cast(null as timestamp) as extracted_at,
        recorded_at as updated_at,
        coalesce(status_text in ('Survey Preview', 'Survey Test', 'Spam', 'Possible Spam', '1', '2', '8', '9'), false) as is_test,
        external_id,
        email,
        first_name,
        last_name,
        case
            when distribution_channel in ('email', 'sms') then distribution_channel
            when distribution_channel in ('anonymous', 'gl', 'qr', 'social') then 'web'
            when distribution_channel is not null then 'other'
        end as channel,
        touchpoint,
        replace(order_id, '#', '') as order_source_id,
        lower(substr(language, 1, 2)) as language,
        started_at as opened_at,
        -- Left open, it is recorded by itself a week later.
        case when is_finished then recorded_at else ended_at end as answered_at,
        case when is_finished then 'answered' else 'partial' end as status,
        coalesce(lower(status_text) in ('imported', '4'), false) as is_imported,
        place,
        question as question_id,
        title as question_text,
        cast(null as string) as sub_id,
        case when try_cast(answer_text as decimal(18, 4)) is not null then 'number' else 'text' end
            as answer_type,
        answer_text,
        -- `5 - Extremely satisfied` where labels are exported
        try_cast(split_part(trim(answer_text), ' ', 1) as decimal(18, 4)) as score,
        case when answer_text like '% %' then answer_text end as score_label,
        case
            when comment_questions is null then replace(question, '_TEXT', '') || '_TEXT' = question
            else replace(';' || comment_questions || ';', ';' || question || ';', '')
                <> ';' || comment_questions || ';'
        end as is_comment,
        not is_group as is_answer,
        csat_scale_min,
        csat_scale_max,
        ces_scale_min,
        ces_scale_max,
        star_scale_min,
        star_scale_max,
        case
            when (has_group and not is_group)
                or replace(';' || nps_questions || ';', ';' || question || ';', '') <> ';' || nps_questions || ';' then 'nps'
            when replace(';' || csat_questions || ';', ';' || question || ';', '') <> ';' || csat_questions || ';' then 'csat'
            when replace(';' || ces_questions || ';', ';' || question || ';', '') <> ';' || ces_questions || ';' then 'ces'
            when replace(';' || star_questions || ';', ';' || question || ';', '') <> ';' || star_questions || ';' then 'star'
        end as metric
    from grouped

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
        first_name,
        last_name,
        language,
        answered_at as last_seen_at,
        external_id,
        email
    from named
    where place_in_record = 1 and coalesce(external_id, email) is not null

)

select * from mapped
