-- One row per lead of a contact, as an activity names both.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_lemlist__activities

),

mapped as (

    select
        record_id,
        contact_id || ':' || lead_id as source_id,
        created_at as source_updated_at,
        extracted_at,
        'crm_id' as left_type,
        'lemlist:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        'lemlist:' || account as right_namespace,
        lead_id as right_value,
        'alias' as kind
    from raw
    where contact_id is not null and lead_id is not null

)

select * from mapped
