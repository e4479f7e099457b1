-- One row per question of a survey, by the survey's own definition.
-- grain: source, source_account, survey_id, question_id
select
    source,
    source_account,
    survey_id,
    question_id,
    min(survey_name) as survey_name,
    min(question_text) as question_text,
    min(scale_min) as scale_min,
    max(scale_max) as scale_max
from current_survey_questions
where survey_id is not null
group by source, source_account, survey_id, question_id
