-- One row per scored question of a response; one without a score while it has none.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_surveymonkey__responses

),

told as (

    select
        record_id,
        attributes,
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
        survey_id,
        survey_name,
        channel,
        touchpoint,
        order_source_id,
        language,
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
