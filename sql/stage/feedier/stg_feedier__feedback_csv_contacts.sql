-- One row per feedback that says who gave it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_feedier__feedback_csv

),

mapped as (

    select
        record_id,
        -- Feedback is anonymous unless a column says who gave it.
        coalesce('id:' || customer_id, 'email:' || lower(email)) as source_id,
        customer_id as external_id,
        email
    from raw
    where customer_id is not null or email is not null

)

select * from mapped
