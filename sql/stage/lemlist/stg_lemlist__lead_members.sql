-- One row per lead and web domain of its company.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_lemlist__leads

),

mapped as (

    select
        record_id,
        lead_id || ':' || lower(company_domain) as source_id,
        lead_id as customer_source_id,
        case when email like '%@%' then email end as email,
        lower(company_domain) as account_source_id,
        true as is_primary
    from raw
    where company_domain is not null

)

select * from mapped
