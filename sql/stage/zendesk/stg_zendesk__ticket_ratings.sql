-- One row per rating that stands in its ticket, where no export of ratings has it.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_zendesk__tickets
    where ratings_from = 'tickets' and rating_score <> 'unoffered'

),

scored as (

    select
        *,
        case
            when rating_score like 'good%' then cast(1 as decimal(18, 4))
            when rating_score like 'bad%' then cast(0 as decimal(18, 4))
        end as answer
    from raw

),

mapped as (

    select
        record_id,
        ticket_id as source_id,
        coalesce(rating_id, ticket_id) as response_group_id,
        coalesce(generated_at, updated_at) as source_updated_at,
        extracted_at,
        is_deleted,
        requester_id as customer_source_id,
        ticket_id as conversation_source_id,
        'csat' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(1 as decimal(18, 4)) as scale_max,
        answer as score,
        case when answer is not null then rating_score end as score_label,
        rating_comment as comment_text,
        'support' as touchpoint,
        assignee_id as agent,
        case when answer is null then 'unanswered' else 'answered' end as status,
        -- The ticket does not say when it was rated; it changed then or later.
        case when answer is not null then updated_at end as answered_at
    from scored

)

select * from mapped
