-- One row per last survey sent to a person; older ones came with older exports.
-- grain: source_id
-- canonical: survey_invitations
with

raw as (

    select * from raw_delighted__people
    where last_sent_at is not null

),

mapped as (

    select
        record_id,
        person_id || ':' || last_sent as source_id,
        coalesce(last_responded_at, last_sent_at) as source_updated_at,
        extracted_at,
        person_id as customer_source_id,
        email,
        phone,
        case when last_responded_at >= last_sent_at then 'answered' else 'sent' end as status,
        last_sent_at as sent_at,
        case when last_responded_at >= last_sent_at then last_responded_at end as responded_at
    from raw

)

select * from mapped
