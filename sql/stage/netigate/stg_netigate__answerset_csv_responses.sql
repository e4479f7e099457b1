-- One row per scored question of an answer set.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_netigate__answersets_csv

),

questions (metric) as (

    values
    ('nps'),
    ('csat')

),

scored as (

    select
        raw.*,
        case questions.metric
            when 'nps' then raw.nps_question_id
            else raw.csat_question_id
        end as question_id,
        questions.metric,
        case questions.metric when 'nps' then raw.nps_answer else raw.csat_answer end as score,
        case questions.metric
            when 'nps' then cast(0 as decimal(18, 4))
            else raw.csat_scale_min
        end as scale_min,
        case questions.metric
            when 'nps' then cast(10 as decimal(18, 4))
            else raw.csat_scale_max
        end as scale_max
    from raw
    cross join questions

),

mapped as (

    select
        record_id,
        attributes,
        answerset_id || ':' || question_id as source_id,
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
        metric,
        scale_min,
        scale_max,
        score,
        comment as comment_text,
        segment,
        case
            when status = 'Partial' then 'partial'
            when score is null then 'unanswered'
            else 'answered'
        end as status,
        coalesce(completed_at, started_at) as answered_at,
        case when score < scale_min or score > scale_max then 'off_scale' end as reject_rule,
        case when metric = 'nps' then 'nps_answer' else 'csat_answer' end as reject_column,
        cast(score as string) as reject_text
    from scored
    where score is not null or metric = 'nps'

)

select * from mapped
