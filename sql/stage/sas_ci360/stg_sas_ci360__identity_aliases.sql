-- One row per id of an identity that means something inside SAS only.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_sas_ci360__identity_attributes

),

typed as (

    select
        *,
        case
            when ';' || email_types || ';' like '%;' || identifier_type_id || ';%' then 'email'
            when ';' || phone_types || ';' like '%;' || identifier_type_id || ';%' then 'phone'
            when ';' || external_id_types || ';' like '%;' || identifier_type_id || ';%' then 'external_id'
            else 'crm_id'
        end as kind
    from raw

),

mapped as (

    select
        record_id,
        identity_id || ':' || identifier_type_id || ':' || user_identifier_val as source_id,
        coalesce(processed_dttm, entrytime) as source_updated_at,
        'crm_id' as left_type,
        'sas_ci360:' || account as left_namespace,
        identity_id as left_value,
        'crm_id' as right_type,
        'sas_ci360:' || account || ':' || identifier_type_id as right_namespace,
        user_identifier_val as right_value,
        'alias' as kind,
        entrytime as stated_at
    from typed
    where kind = 'crm_id'

)

select * from mapped
