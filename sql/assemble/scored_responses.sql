-- One row per survey response of real people, its score turned so that higher is better.
-- grain: feedback_id
with

responses as (

    select * from current_survey_responses
    where not is_test

),

-- What the export of answers leaves out, the survey's own definition may say.
named as (

    select
        responses.*,
        coalesce(responses.survey_name, surveys.survey_name) as name_of_survey,
        coalesce(responses.question_text, questions.question_text) as words_of_question
    from responses
    left join defined_surveys as surveys
        on
            responses.source = surveys.source
            and responses.source_account = surveys.source_account
            and responses.survey_id = surveys.survey_id
    left join defined_questions as questions
        on
            responses.source = questions.source
            and responses.source_account = questions.source_account
            and responses.survey_id = questions.survey_id
            and responses.question_id = questions.question_id

),

turned as (

    select
        *,
        case
            when is_effort then scale_min + scale_max - score
            else score
        end as better_score,
        coalesce(cast(scale_min as bigint), case when metric in ('nps', 'enps') then 0 end)
            as least,
        coalesce(cast(scale_max as bigint), case when metric in ('nps', 'enps') then 10 end)
            as greatest
    from named

),

normed as (

    select
        *,
        case
            when greatest > least
                then
                    cast(better_score - cast(least as decimal(18, 4)) as double)
                    / cast(greatest - least as double)
        end as score_norm,
        cast(least as string) || '-' || cast(greatest as string) as scale
    from turned

),

bucketed as (

    select
        *,
        case
            when better_score is null then cast(null as string)
            when is_favourable and metric in ('csat', 'ces', 'star') then 'favourable'
            when not is_favourable and metric in ('csat', 'ces', 'star') then 'unfavourable'
            when metric in ('nps', 'enps') and scale = '0-10'
                then
                    case
                        when better_score >= cast(9 as decimal(18, 4)) then 'promoter'
                        when better_score >= cast(7 as decimal(18, 4)) then 'passive'
                        else 'detractor'
                    end
            when metric in ('csat', 'ces', 'star') and scale = '1-5'
                then
                    case
                        when better_score >= cast(4 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
            when metric = 'csat' and scale = '1-7'
                then
                    case
                        when better_score >= cast(6 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
            when metric = 'ces' and scale = '1-7'
                then
                    case
                        when better_score >= cast(5 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
            when metric = 'csat' and scale = '1-10'
                then
                    case
                        when better_score >= cast(9 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
            when metric = 'csat' and scale = '1-3'
                then
                    case
                        when better_score >= cast(3 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
            when metric = 'csat' and scale = '0-1'
                then
                    case
                        when better_score >= cast(1 as decimal(18, 4)) then 'favourable'
                        else 'unfavourable'
                    end
        end as bucket
    from normed

)

select * from bucketed
