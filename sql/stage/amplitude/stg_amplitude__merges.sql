-- One row per id that became another.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_amplitude__merged_ids

),

mapped as (

    select
        record_id,
        attributes,
        amplitude_id || ':' || merged_amplitude_id as source_id,
        'crm_id' as left_type,
        'amplitude:' || account as left_namespace,
        amplitude_id as left_value,
        'crm_id' as right_type,
        'amplitude:' || account as right_namespace,
        merged_amplitude_id as right_value,
        'merge' as kind,
        merged_at as stated_at
    from raw
    where amplitude_id <> merged_amplitude_id

)

select * from mapped
