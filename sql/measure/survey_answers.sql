-- One row per answer that counts towards a score: answered, on its scale, no test.
-- grain: feedback_id
with

responses as (

    select * from current_survey_responses

),

answers as (

    select
        feedback_id,
        metric,
        -- Net promoter questions have one scale, by definition.
        case
            when metric in ('nps', 'enps')
                then coalesce(scale_min, cast(0 as decimal(18, 4)))
            else scale_min
        end as scale_min,
        case
            when metric in ('nps', 'enps')
                then coalesce(scale_max, cast(10 as decimal(18, 4)))
            else scale_max
        end as scale_max,
        coalesce(is_effort, false) as is_effort,
        score,
        answered_date,
        answered_month,
        channel,
        touchpoint,
        cast(null as string) as journey_stage,
        segment,
        country,
        language,
        product,
        source,
        coalesce(survey_name, survey_id) as survey
    from responses
    where
        score is not null
        and answered_at is not null
        and metric in ('nps', 'enps', 'csat', 'ces', 'star')
        and coalesce(is_test, false) = false
        and coalesce(status, 'answered') in ('answered', 'partial')

)

select * from answers
where score between scale_min and scale_max
