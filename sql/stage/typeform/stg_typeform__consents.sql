-- One row per legal question that was answered.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_typeform__responses

),

named as (

    select
        *,
        coalesce(hidden_email, max(email) over (partition by record_id)) as own_email,
        coalesce(hidden_phone, max(phone) over (partition by record_id)) as own_phone
    from raw

),

mapped as (

    select
        record_id,
        token || ':' || field_id as source_id,
        coalesce(submitted_at, landed_at) as source_updated_at,
        extracted_at,
        external_id,
        own_email as email,
        own_phone as phone,
        'data_processing' as purpose,
        case when boolean then 'granted' else 'denied' end as state,
        'consent' as legal_basis,
        false as is_snapshot,
        submitted_at as effective_at
    from named
    where field_type = 'legal' and boolean is not null

)

select * from mapped
