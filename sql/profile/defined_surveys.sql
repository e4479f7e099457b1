-- One row per survey that has a definition.
-- grain: source, source_account, survey_id
select
    source,
    source_account,
    survey_id,
    min(survey_name) as survey_name
from current_survey_questions
where survey_id is not null
group by source, source_account, survey_id
