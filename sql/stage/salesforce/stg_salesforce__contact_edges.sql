-- One row per contact that was merged into another, and per address it brought along.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_salesforce__contacts
    where merged_into is not null

),

ways (way) as (

    values ('id'), ('email')

),

mapped as (

    select
        raw.record_id,
        raw.contact_id || ':' || ways.way as source_id,
        raw.updated_at as source_updated_at,
        raw.extracted_at,
        'crm_id' as left_type,
        'salesforce:' || raw.account as left_namespace,
        raw.merged_into as left_value,
        case ways.way when 'id' then 'crm_id' else 'email' end as right_type,
        case ways.way when 'id' then 'salesforce:' || raw.account else '' end as right_namespace,
        case ways.way when 'id' then raw.contact_id else raw.email end as right_value,
        case ways.way when 'id' then 'merge' else 'alias' end as kind,
        raw.updated_at as stated_at
    from raw
    cross join ways
    where ways.way = 'id' or raw.email is not null

)

select * from mapped
