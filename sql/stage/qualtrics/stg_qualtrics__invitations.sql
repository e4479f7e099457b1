-- One row per survey sent to a contact.
-- grain: source_id
-- canonical: survey_invitations
with

raw as (

    select * from raw_qualtrics__distribution_contacts

),

mapped as (

    select
        record_id,
        attributes,
        distribution_id || ':' || contact_id as source_id,
        coalesce(completed_at, started_at, opened_at, sent_at) as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        survey_id,
        response_id as response_group_id,
        'email' as channel,
        case
            when completed_at is not null then 'answered'
            when lower(invitation_status) like '%bounce%' then 'bounced'
            when lower(invitation_status) like '%fail%' then 'failed'
            when lower(invitation_status) in ('optedout', 'opted_out', 'unsubscribed') then 'opted_out'
            when started_at is not null then 'clicked'
            when opened_at is not null then 'opened'
            else 'sent'
        end as status,
        sent_at,
        opened_at,
        started_at as clicked_at,
        completed_at as responded_at
    from raw

)

select * from mapped
