-- One row per scored question of a response; one without a score while it has none.
-- grain: source_id
-- canonical: survey_responses
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
        case kind when 'score' then response_id || ':' || question_id else response_id end as source_id,
        response_id as response_group_id,
        updated_at as source_updated_at,
        extracted_at,
        kind = 'whole' and has_score as is_deleted,
        is_test,
        external_id,
        email,
        survey_id,
        survey_name,
        channel,
        touchpoint,
        order_source_id,
        language,
        is_imported,
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
