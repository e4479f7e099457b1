-- One row per identity that was merged into another.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_sas_ci360__identity_map

),

mapped as (

    select
        record_id,
        attributes,
        source_identity_id || ':' || target_identity_id as source_id,
        processed_dttm as source_updated_at,
        'crm_id' as left_type,
        'sas_ci360:' || account as left_namespace,
        source_identity_id as left_value,
        'crm_id' as right_type,
        'sas_ci360:' || account as right_namespace,
        target_identity_id as right_value,
        'merge' as kind,
        entrytime as stated_at
    from raw

)

select * from mapped
