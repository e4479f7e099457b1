-- One row per answer that is neither scored nor the comment.
-- grain: source_id
-- canonical: survey_answers
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

mapped as (

    select
        record_id,
        answerset_id || ':' || question_id || ':' || cast(answer_place as string) as source_id,
        updated_at as source_updated_at,
        answerset_id as response_group_id,
        respondent_id as customer_source_id,
        -- The respondent's key may be a mail address, a phone number or a login.
        case
            when respondent like '%@%' or respondent like '+%' then null
            when lower(respondent) in ('anonymous', 'anonym', 'anonymt') then null
            else respondent
        end as external_id,
        case when respondent like '%@%' then respondent end as email,
        case when respondent like '+%' then respondent end as phone,
        survey_id,
        question_id,
        answer_place as place,
        question_text,
        case when try_cast(answer_value as decimal(18, 4)) is null then 'text' else 'number' end as answer_type,
        answer_text as value_text,
        try_cast(answer_value as decimal(18, 4)) as value_number,
        coalesce(updated_at, created_at) as answered_at
    from typed
    where metric is null and not is_comment and question_id is not null

)

select * from mapped
