-- One row per contact that was merged into another.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_intercom__contact_merges

),

mapped as (

    select
        record_id,
        attributes,
        into_id || ':merge:' || from_id as source_id,
        'crm_id' as left_type,
        'intercom:' || account as left_namespace,
        into_id as left_value,
        'crm_id' as right_type,
        'intercom:' || account as right_namespace,
        from_id as right_value,
        'merge' as kind,
        merged_at as stated_at
    from raw
    where from_id <> into_id

)

select * from mapped
