-- One row per lead; one person has one in each campaign.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_lemlist__leads

),

mapped as (

    select
        record_id,
        attributes,
        lead_id as source_id,
        lead_id as customer_source_id,
        case when email like '%@%' then email end as email,
        phone,
        first_name,
        last_name,
        company_name,
        case when status = 'unsubscribed' then 'withdrawn' end as email_consent,
        lower(company_domain) as account_source_id
    from raw

)

select * from mapped
