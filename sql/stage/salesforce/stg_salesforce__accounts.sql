-- One row per account.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_salesforce__accounts

),

-- `https://www.example.com/about` is the domain example.com
sited as (

    select
        *,
        split_part(
            replace(replace(lower(trim(website)), 'https://', ''), 'http://', ''), '/', 1
        ) as site
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        account_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        name,
        nullif(case when site like 'www.%' then substr(site, 5) else site end, '') as domain,
        external_id,
        parent_id as parent_source_id,
        industry,
        employees,
        annual_revenue,
        upper(coalesce(currency, default_currency)) as currency,
        case when length(country) = 2 then upper(country) end as country,
        lower(account_type) as segment,
        created_at
    from sited

)

select * from mapped
