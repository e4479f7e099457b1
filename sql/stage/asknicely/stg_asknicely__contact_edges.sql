-- One row per id in another system that a response gives for its contact.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_asknicely__responses

),

systems (system) as (

    values ('salesforce contact'), ('salesforce lead'), ('intercom')

),

named as (

    select
        raw.record_id,
        raw.account,
        raw.contact_id,
        case systems.system
            when 'salesforce contact' then raw.salesforce_contact_id
            when 'salesforce lead' then raw.salesforce_lead_id
            else raw.intercom_id
        end as other,
        case
            when systems.system = 'intercom' then 'intercom:' || raw.intercom_account
            else 'salesforce:' || raw.salesforce_account
        end as other_namespace
    from raw
    cross join systems

),

mapped as (

    select
        record_id,
        contact_id || ':' || other_namespace || ':' || other as source_id,
        'crm_id' as left_type,
        'asknicely:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        other_namespace as right_namespace,
        other as right_value,
        'alias' as kind
    from named
    where contact_id is not null and other is not null

)

select * from mapped
