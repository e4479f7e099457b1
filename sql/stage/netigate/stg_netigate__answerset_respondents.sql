-- One row per answer set that says who gave it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_netigate__answersets

),

mapped as (

    select
        record_id,
        respondent_id as source_id,
        updated_at as source_updated_at,
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
    where respondent_id is not null and coalesce(answer_place, 1) = 1

)

select * from mapped
