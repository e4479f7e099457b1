-- One row per conversation that was rated; a rating that changes comes again.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_intercom__conversations

),

mapped as (

    select
        record_id,
        conversation_id || ':rating' as source_id,
        rating_changed_at as source_updated_at,
        extracted_at,
        is_deleted,
        conversation_id as response_group_id,
        coalesce(rating_contact_id, contact_id) as customer_source_id,
        external_id,
        'csat' as metric,
        cast(1 as decimal(18, 4)) as scale_min,
        cast(5 as decimal(18, 4)) as scale_max,
        rating as score,
        rating_remark as comment_text,
        case
            when source_type = 'email' then 'email'
            when source_type in ('conversation', 'whatsapp') then 'chat'
            when source_type = 'sms' then 'sms'
            when source_type = 'phone_call' then 'phone'
            else 'other'
        end as channel,
        'support' as touchpoint,
        'answered' as status,
        conversation_id as conversation_source_id,
        rated_at as answered_at,
        rating_admin_id as agent,
        case when rating < 1 or rating > 5 then 'off_scale' end as reject_rule,
        'rating' as reject_column,
        cast(rating as string) as reject_text
    from raw
    where rating is not null

)

select * from mapped
