-- One row per survey that was sent, answered or not.
-- grain: source_id
-- canonical: survey_invitations
with

raw as (

    select * from raw_asknicely__responses

),

mapped as (

    select
        record_id,
        response_id as source_id,
        response_id as response_group_id,
        contact_id as customer_source_id,
        email,
        survey_template as survey_name,
        case
            when lower(delivery_method) in ('email', 'web', 'sms', 'chat')
                then lower(delivery_method)
            when delivery_method is not null then 'other'
        end as channel,
        coalesce(segment, survey_template) as touchpoint,
        case
            when responded is not null or answer is not null then 'answered'
            when opened is not null then 'opened'
            else 'sent'
        end as status,
        sent as sent_at,
        opened as opened_at,
        responded as responded_at
    from raw
    where sent is not null

)

select * from mapped
