-- One row per id that became another, from files of merged ids among those of events.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_amplitude__events

),

mapped as (

    select
        record_id,
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
    where merged_amplitude_id is not null and amplitude_id <> merged_amplitude_id

)

select * from mapped
