-- One row per identity and kind of address, number or id; the newest value counts.
-- grain: source_id
-- canonical: contacts
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
        attributes,
        identity_id || ':' || identifier_type_id as source_id,
        identity_id as customer_source_id,
        coalesce(processed_dttm, entrytime) as source_updated_at,
        case when kind = 'email' then user_identifier_val end as email,
        case when kind = 'phone' then user_identifier_val end as phone,
        case when kind = 'external_id' then user_identifier_val end as external_id
    from typed
    where kind <> 'crm_id'

)

select * from mapped
