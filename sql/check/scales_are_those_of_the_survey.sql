-- Each row is a scored question whose scale, by the options or scales of the job, is not the one that the survey's own definition offers: its answers are read on the wrong scale.
-- severity: warn
select
    answers.source,
    answers.source_account,
    answers.survey_id,
    answers.question_id,
    answers.metric,
    answers.scale_min,
    answers.scale_max,
    defined.scale_min as defined_min,
    defined.scale_max as defined_max,
    count(*) as n_answers
from current_survey_responses as answers
inner join defined_questions as defined
    on
        answers.source = defined.source
        and answers.source_account = defined.source_account
        and answers.survey_id = defined.survey_id
        and answers.question_id = defined.question_id
where
    answers.score is not null
    and (answers.scale_min <> defined.scale_min or answers.scale_max <> defined.scale_max)
group by
    answers.source,
    answers.source_account,
    answers.survey_id,
    answers.question_id,
    answers.metric,
    answers.scale_min,
    answers.scale_max,
    defined.scale_min,
    defined.scale_max
