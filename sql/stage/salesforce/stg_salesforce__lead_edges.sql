-- One row per lead that became a contact, or was merged into another lead.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_salesforce__leads

),

ways (way) as (

    values ('convert'), ('merge')

),

named as (

    select
        raw.*,
        ways.way,
        case ways.way when 'convert' then raw.converted_contact_id else raw.merged_into end as other
    from raw
    cross join ways

),

mapped as (

    select
        record_id,
        lead_id || ':' || way as source_id,
        updated_at as source_updated_at,
        extracted_at,
        'crm_id' as left_type,
        'salesforce:' || account as left_namespace,
        other as left_value,
        'crm_id' as right_type,
        'salesforce:' || account as right_namespace,
        lead_id as right_value,
        way as kind,
        case way when 'convert' then converted_at else updated_at end as stated_at
    from named
    where other is not null

)

select * from mapped
