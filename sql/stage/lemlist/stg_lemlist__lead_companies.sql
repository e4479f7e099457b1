-- One row per web domain of a lead, which is all that tells a company.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_lemlist__leads

),

mapped as (

    select
        record_id,
        lower(company_domain) as source_id,
        company_name as name,
        lower(company_domain) as domain
    from raw
    where company_domain is not null

)

select * from mapped
