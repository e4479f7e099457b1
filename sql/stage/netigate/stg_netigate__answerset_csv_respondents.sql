-- One row per answer set that says who gave it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_netigate__answersets_csv

),

mapped as (

    select
        record_id,
        respondent_id as source_id,
        respondent_id as customer_source_id,
        -- The respondent's key may be a mail address, a phone number or a login.
        case
            when respondent like '%@%' or respondent like '+%' then null
            when lower(respondent) in ('anonymous', 'anonym', 'anonymt') then null
            else respondent
        end as external_id,
        case when respondent like '%@%' then respondent end as email,
        case when respondent like '+%' then respondent end as phone,
        segment
    from raw
    where respondent_id is not null

)

select * from mapped
