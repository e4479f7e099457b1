-- One row per scored answer, and one per answer set that has none.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_netigate__answersets

),

-- `1,45501:7` names question 1 of every survey and question 7 of one
asked as (

    select
        *,
        '%,' || question_id || ',%' as anywhere,
        '%,' || survey_id || ':' || question_id || ',%' as here,
        coalesce(nps_questions, csat_questions, ces_questions) is null as is_undeclared
    from raw

),

typed as (

    select
        *,
        case
            when ',' || replace(nps_questions, ' ', '') || ',' like anywhere then 'nps'
            when ',' || replace(nps_questions, ' ', '') || ',' like here then 'nps'
            when ',' || replace(csat_questions, ' ', '') || ',' like anywhere then 'csat'
            when ',' || replace(csat_questions, ' ', '') || ',' like here then 'csat'
            when ',' || replace(ces_questions, ' ', '') || ',' like anywhere then 'ces'
            when ',' || replace(ces_questions, ' ', '') || ',' like here then 'ces'
        end as metric,
        coalesce(
            ',' || replace(comment_questions, ' ', '') || ',' like anywhere
            or ',' || replace(comment_questions, ' ', '') || ',' like here,
            false
        ) as is_comment
    from asked

),

gathered as (

    select
        *,
        count(metric) over (partition by record_id) as count_scored,
        max(case when is_comment then answer_text end) over (partition by record_id) as comment_text
    from typed

),

scored as (

    select
        record_id,
        attributes,
        answerset_id,
        survey_id,
        respondent_id,
        -- The respondent's key may be a mail address, a phone number or a login.
        case
            when respondent like '%@%' or respondent like '+%' then null
            when lower(respondent) in ('anonymous', 'anonym', 'anonymt') then null
            else respondent
        end as external_id,
        case when respondent like '%@%' then respondent end as email,
        case when respondent like '+%' then respondent end as phone,
        created_at,
        updated_at,
        is_completed,
        segment,
        is_undeclared,
        metric,
        case when metric is not null then question_id end as question_id,
        case when metric is not null then question_text end as question_text,
        -- An answer such as "don't know" has no value and so no score.
        case
            when metric is not null
                then coalesce(
                    try_cast(answer_value as decimal(18, 4)),
                    try_cast(replace(answer_text, ',', '.') as decimal(18, 4))
                )
        end as score,
        comment_text,
        case metric
            when 'nps' then cast(0 as decimal(18, 4))
            when 'csat' then csat_scale_min
            when 'ces' then ces_scale_min
        end as scale_min,
        case metric
            when 'nps' then cast(10 as decimal(18, 4))
            when 'csat' then csat_scale_max
            when 'ces' then ces_scale_max
        end as scale_max
    from gathered
    where metric is not null or (count_scored = 0 and coalesce(answer_place, 1) = 1)

),

mapped as (

    select
        record_id,
        attributes,
        case
            when metric is null then answerset_id
            else answerset_id || ':' || question_id
        end as source_id,
        updated_at as source_updated_at,
        answerset_id as response_group_id,
        respondent_id as customer_source_id,
        external_id,
        email,
        phone,
        survey_id,
        question_id,
        question_text,
        coalesce(metric, 'other') as metric,
        scale_min,
        scale_max,
        score,
        comment_text,
        segment,
        case
            when not is_completed then 'partial'
            when metric is not null and score is null then 'unanswered'
            else 'answered'
        end as status,
        coalesce(updated_at, created_at) as answered_at,
        case
            when is_undeclared then 'no_scored_question_named'
            when score < scale_min or score > scale_max then 'off_scale'
        end as reject_rule,
        case when is_undeclared then 'nps_questions' else 'answer_value' end as reject_column,
        case when not is_undeclared then cast(score as string) end as reject_text
    from scored

)

select * from mapped
