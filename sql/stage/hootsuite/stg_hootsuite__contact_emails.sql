-- One row per e-mail address or phone that an event gives for its contact.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_hootsuite__inbox_events__attributes

),

mapped as (

    select distinct
        record_id,
        contact_id || ':' || lower(attribute) || ':' || value as source_id,
        'crm_id' as left_type,
        '' as left_namespace,
        contact_id as left_value,
        case when lower(attribute) = 'email' then 'email' else 'phone' end as right_type,
        '' as right_namespace,
        value as right_value,
        'alias' as kind
    from raw
    where contact_id is not null and value is not null and lower(attribute) in ('email', 'phone', 'phone_number')

)

select * from mapped
