-- One row per survey invitation, with its answer once there is one.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_asknicely__responses

),

mapped as (

    select
        record_id,
        response_id as source_id,
        contact_id as customer_source_id,
        email,
        lower(question_type) as metric,
        answer as score,
        comment as comment_text,
        segment as touchpoint,
        sent as asked_at,
        responded as answered_at
    from raw

)

select * from mapped
