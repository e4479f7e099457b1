-- One row per scored answer.
-- grain: feedback_id
with

responses as (

    select * from current_survey_responses

)

select
    feedback_id,
    metric,
    score,
    answered_at,
    coalesce(answered_month, date '1970-01-01') as month
from responses
