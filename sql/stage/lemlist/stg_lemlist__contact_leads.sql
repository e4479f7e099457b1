-- One row per lead that a contact is in a campaign.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_lemlist__contacts__campaigns

),

mapped as (

    select
        record_id,
        contact_id || ':' || lead_id as source_id,
        'crm_id' as left_type,
        'lemlist:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        'lemlist:' || account as right_namespace,
        lead_id as right_value,
        'alias' as kind
    from raw
    where lead_id is not null

)

select * from mapped
