-- One row per distinct normed answer of a survey and day, with how often it was given.
-- grain: source, survey, metric, scale_min, scale_max, answered_date, is_incentivised, score
with

answers as (

    select
        source,
        coalesce(survey_name, survey_id, '(none)') as survey,
        metric,
        scale_min,
        scale_max,
        answered_date,
        coalesce(is_incentivised, false) as is_incentivised,
        case when is_effort then scale_min + scale_max - score else score end as score
    from attributed_answers

)

select
    source,
    survey,
    metric,
    scale_min,
    scale_max,
    answered_date,
    is_incentivised,
    cast(score as decimal(18, 4)) as score,
    count(*) as n
from answers
group by
    source,
    survey,
    metric,
    scale_min,
    scale_max,
    answered_date,
    is_incentivised,
    score
