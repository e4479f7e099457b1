-- One row per device with the company's app and the identity it belongs to.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_sas_ci360__identity_addressable_devices

),

mapped as (

    select
        record_id,
        attributes,
        device_id || ':' || identity_id as source_id,
        entrytime as source_updated_at,
        'cookie' as left_type,
        'sas_ci360:' || account || ':device' as left_namespace,
        device_id as left_value,
        'crm_id' as right_type,
        'sas_ci360:' || account as right_namespace,
        identity_id as right_value,
        'login' as kind,
        entrytime as stated_at
    from raw

)

select * from mapped
