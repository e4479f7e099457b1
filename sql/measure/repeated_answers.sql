-- One row per answer of a respondent who answered the same question about the same touchpoint more than once.
-- grain: feedback_id
with

answers as (

    select
        feedback_id,
        respondent,
        source,
        source_account,
        metric,
        coalesce(survey_id, survey_name, '') as survey_key,
        coalesce(question_id, '') as question_key,
        coalesce(touchpoint, '') as touchpoint_key,
        coalesce(conversation_source_id, order_source_id, '') as subject_key,
        answered_at
    from attributed_answers
    where respondent is not null

),

repeated as (

    select
        respondent,
        source,
        source_account,
        metric,
        survey_key,
        question_key,
        touchpoint_key,
        subject_key
    from answers
    group by
        respondent,
        source,
        source_account,
        metric,
        survey_key,
        question_key,
        touchpoint_key,
        subject_key
    having count(*) > 1

)

select
    answers.feedback_id,
    answers.respondent,
    answers.source,
    answers.source_account,
    answers.metric,
    answers.survey_key,
    answers.question_key,
    answers.touchpoint_key,
    answers.subject_key,
    answers.answered_at
from answers
inner join repeated
    on
        answers.respondent = repeated.respondent
        and answers.source = repeated.source
        and answers.source_account = repeated.source_account
        and answers.metric = repeated.metric
        and answers.survey_key = repeated.survey_key
        and answers.question_key = repeated.question_key
        and answers.touchpoint_key = repeated.touchpoint_key
        and answers.subject_key = repeated.subject_key
