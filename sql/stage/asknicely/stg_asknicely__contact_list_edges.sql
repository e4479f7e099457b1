-- One row per contact that came from Intercom.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_asknicely__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':intercom:' || intercom_account || ':' || intercom_id as source_id,
        'crm_id' as left_type,
        'asknicely:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        'intercom:' || intercom_account as right_namespace,
        intercom_id as right_value,
        'alias' as kind,
        imported_at as stated_at
    from raw
    where intercom_id is not null

)

select * from mapped
