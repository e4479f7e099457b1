-- One row per company.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_hubspot__companies

),

mapped as (

    select
        record_id,
        attributes,
        company_id as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        name,
        lower(domain) as domain,
        lower(additional_domains) as additional_domains,
        parent_id as parent_source_id,
        industry,
        employees,
        annual_revenue,
        upper(currency) as currency,
        case when length(country) = 2 then upper(country) end as country,
        lower(lifecycle_stage) as lifecycle_stage,
        created_at
    from raw

)

select * from mapped
