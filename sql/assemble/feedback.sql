-- One row per scored question of a survey response, review or rating, answered or not.
-- grain: feedback_id
with

responses as (

    select * from scored_responses

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

former as (

    select
        identity_key,
        valid_from,
        valid_to,
        customer_id
    from identity_former

)

select
    responses.feedback_id,
    keys.customer_id,
    coalesce(former.customer_id, keys.customer_id) as customer_id_as_of,
    case
        when responses.source in ('trustpilot', 'feefo') then 'review'
        when responses.conversation_source_id is null then 'survey'
        when responses.channel = 'chat' then 'chat'
        else 'ticket'
    end as kind,
    responses.source,
    responses.source_account,
    responses.survey_id,
    responses.name_of_survey as survey_name,
    responses.question_id,
    responses.words_of_question as question_text,
    responses.metric,
    responses.scale,
    responses.score,
    responses.score_norm,
    responses.bucket,
    responses.score_label,
    responses.comment_text,
    responses.language,
    cast(null as double) as sentiment,
    cast(null as string) as themes,
    responses.channel,
    responses.touchpoint,
    response_stages.journey_stage,
    responses.country,
    responses.segment,
    responses.product,
    responses.status,
    responses.is_incentivised,
    responses.conversation_source_id as conversation_reference,
    responses.order_source_id as order_reference,
    responses.asked_at,
    responses.opened_at,
    responses.answered_at,
    responses.answered_date,
    coalesce(responses.answered_month, responses.asked_month, date '1970-01-01') as month
from responses
left join keys on responses.identity_key = keys.identity_key
left join former
    on
        responses.identity_key = former.identity_key
        and responses.dt >= former.valid_from
        and responses.dt < former.valid_to
left join response_stages on responses.feedback_id = response_stages.feedback_id
