-- One row per contact with the id it has in a list.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_qualtrics__distribution_contacts
    where lookup_id is not null

),

mapped as (

    select
        min(record_id) as record_id,
        contact_id || ':' || lookup_id as source_id,
        'crm_id' as left_type,
        'qualtrics:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        'qualtrics:' || account as right_namespace,
        lookup_id as right_value,
        'alias' as kind
    from raw
    group by contact_id, lookup_id, account

)

select * from mapped
